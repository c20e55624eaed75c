import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { LineDecoder } from '../../../connectors/file/change-row.ts'
import { csvDecoder } from '../../../connectors/file/csv.ts'
import { jsonLinesDecoder } from '../../../connectors/file/json-lines.ts'
import { type FraudLogOptions, fraudLog, headerOf, type LogLine } from '../../../examples/feature-store/fraud-log.ts'
import { LogFile } from '../../../examples/feature-store/log-file.ts'
import { int32, timestamp } from '../../../runtime/data/column-type.ts'
import { nodeEnvironment } from '../../../runtime/env/node-environment.ts'
import { Reader } from './helpers.ts'

const options: FraudLogOptions = {
  seed: 5,
  accounts: 50,
  owners: 10,
  format: 'jsonl',
  rate: 100,
  base: Date.UTC(2026, 0, 1) * 1000,
  days: 35,
  malformed: 0.03,
  late: 0.1,
}

function first(n: number, changed: Partial<FraudLogOptions> = {}): LogLine[] {
  const lines = fraudLog({ ...options, ...changed })
  return Array.from({ length: n }, () => lines.next().value)
}

const root = mkdtempSync(join(tmpdir(), 'millrace-generator-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('the generated change logs', () => {
  it('are the same for the same options, and others for another seed', () => {
    expect(first(2000)).toEqual(first(2000))
    expect(first(2000)).not.toEqual(first(2000, { seed: 6 }))
  })

  it.each(['jsonl', 'csv'] as const)('%s: every line is followed, decoded or reported, through rotations', async (format) => {
    const path = join(root, `frauds.${format}`)
    const file = new LogFile({ path, header: format === 'csv' ? headerOf('frauds') : null, rotateEvery: 5000 })
    const columns = { accountId: int32, at: timestamp }
    const decoder: LineDecoder = format === 'csv' ? csvDecoder({ columns }) : jsonLinesDecoder({ columns })
    const reader = new Reader(nodeEnvironment(), { path, header: format === 'csv', keepCarriageReturns: true })
    const lines = first(3000, { format }).filter(({ log }) => log === 'frauds')
    const clean = first(3000, { format, malformed: 0 })
    expect(clean.length).toBe(3000)
    let decodedRows = 0
    let badLines = 0
    const counts = new Map<string, number>()
    let lastAt = 0n
    let outOfOrder = 0
    for (let i = 0; i < lines.length; i++) {
      file.add(lines[i].bytes)
      if (i % 7 !== 0 && i !== lines.length - 1) continue
      file.flush()
      if (i % 5 === 0 || i === lines.length - 1) {
        for (let quiet = false; !quiet; ) {
          const batch = await reader.once()
          quiet = batch === null && !reader.follower.behind
          if (batch === null) continue
          const { rows, bad } = decoder.decode(batch)
          decodedRows += rows.length
          badLines += bad.length
          for (const { row, operation } of rows) {
            const key = `${row.accountId}@${row.at}`
            counts.set(key, (counts.get(key) ?? 0) + (operation === 'insert' ? 1 : -1))
            if ((row.at as bigint) < lastAt) outOfOrder++
            lastAt = row.at as bigint
          }
        }
      }
    }
    file.close()
    await reader.follower.close()
    const isWhole = ({ bytes }: LogLine): boolean => {
      const text = new TextDecoder().decode(bytes)
      const fields = format === 'csv' ? text.split(',').slice(1) : Object.values(safeParse(text)).slice(-2)
      return fields.length === 2 && /^\d{1,2}$/.test(String(fields[0])) && /^20\d\d-.*\.\d{6}Z$/.test(String(fields[1]))
    }
    expect(decodedRows).toBe(lines.filter(isWhole).length)
    expect(decodedRows + badLines).toBe(lines.length)
    expect(badLines).toBeGreaterThan(30)
    expect(outOfOrder).toBeGreaterThan(500)
    // A correction removes only what was inserted.
    expect([...counts.values()].every((count) => count >= 0)).toBe(true)
    expect(reader.kinds.filter((kind) => kind === 'rotated').length).toBeGreaterThan(5)
  })
})

function safeParse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
