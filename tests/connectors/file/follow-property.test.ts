import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { jsonLinesDecoder } from '../../../connectors/file/json-lines.ts'
import type { FilePosition, LineBatch } from '../../../connectors/file/position.ts'
import { int32, text } from '../../../runtime/data/column-type.ts'
import type { Environment } from '../../../runtime/env/environment.ts'
import { nodeEnvironment } from '../../../runtime/env/node-environment.ts'
import { SimulatedEnvironment } from '../../../runtime/env/simulated-environment.ts'
import { Reader, Writer } from './helpers.ts'

type Step =
  | { do: 'write'; bytes: number }
  | { do: 'rotate'; create: boolean }
  | { do: 'recreate' }
  | { do: 'poll'; bytes: number }
  /** A poll that the steps after it do not wait for. */
  | { do: 'poll aside'; bytes: number }
  | { do: 'yield'; turns: number }
  | { do: 'restart' }

const step = fc.oneof<fc.Arbitrary<Step>[]>(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 60 }) }) } as never,
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rotate' as const), create: fc.boolean() }) } as never,
  { weight: 1, arbitrary: fc.record({ do: fc.constant('recreate' as const) }) } as never,
  { weight: 3, arbitrary: fc.record({ do: fc.constant('poll' as const), bytes: fc.integer({ min: 1, max: 50 }) }) } as never,
  { weight: 3, arbitrary: fc.record({ do: fc.constant('poll aside' as const), bytes: fc.integer({ min: 1, max: 50 }) }) } as never,
  { weight: 3, arbitrary: fc.record({ do: fc.constant('yield' as const), turns: fc.integer({ min: 0, max: 12 }) }) } as never,
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) } as never,
)

/** Good lines carry their number in the whole; every third is malformed, and says where it is in its file. */
interface Written {
  readonly good: number[]
  readonly bad: number[]
}

const decoderOptions = { columns: { n: int32, t: text } }

/**
 * A writer writes whole lines in pieces; rotates or replaces the file between lines; a reader polls, at times while the
 * writer goes on, at times after a restart from its last position.
 */
async function play(env: Environment, path: string, steps: readonly Step[]): Promise<void> {
  const writer = new Writer(env, path)
  const written: Written = { good: [], bad: [] }
  let rest: Uint8Array = new Uint8Array(0)
  let serial = 0
  let lineInFile = 0
  const line = (): Uint8Array => {
    lineInFile++
    if (serial++ % 3 === 2) {
      written.bad.push(lineInFile)
      return new TextEncoder().encode(`{"n": ${serial}, oops ${lineInFile} €\r\n`)
    }
    written.good.push(serial)
    return new TextEncoder().encode(`{"n": ${serial}, "t": "é€${'\u{1f980}'.repeat(serial % 4)}"}\n`)
  }
  const finishLine = async (): Promise<void> => {
    if (rest.length > 0) await writer.append(rest)
    rest = new Uint8Array(0)
  }

  const batches: LineBatch[] = []
  let position: FilePosition | undefined
  let reader = new Reader(env, { path })
  let aside: Promise<void> | null = null
  const poll = async (bytes: number): Promise<void> => {
    const batch = await reader.once(bytes)
    if (batch === null) return
    batches.push(batch)
    position = batch.end
  }
  const drain = async (): Promise<void> => {
    for (let quiet = 0; quiet < 2; ) {
      const before = batches.length
      await poll(1000)
      if (batches.length === before && !reader.follower.behind) quiet++
    }
  }
  // Following begins with the file that is there, not with files rotated away before.
  await writer.append(line())
  await poll(1000)
  for (const action of steps) {
    if (action.do === 'write') {
      if (rest.length === 0) rest = line()
      const piece = rest.subarray(0, action.bytes)
      rest = rest.subarray(piece.length)
      await writer.append(piece)
    } else if (action.do === 'rotate' || action.do === 'recreate') {
      await finishLine()
      if ((await env.disk.stat(path)) === null) continue
      // A removed file that nobody has open is gone with its lines; only what is open can be finished.
      if (action.do === 'recreate') {
        await aside
        aside = null
        await drain()
        await writer.remove()
        // With a file its positions are lost; the follower says so, which `follow.test.ts` tests.
        position = undefined
      } else await writer.rotate(action.create)
      lineInFile = 0
    } else if (action.do === 'yield') {
      for (let i = 0; i < action.turns; i++) await null
    } else {
      await aside
      aside = null
      if (action.do === 'poll') await poll(action.bytes)
      else if (action.do === 'poll aside') aside = poll(action.bytes)
      else if (position !== undefined) {
        await reader.follower.close()
        reader = new Reader(env, { path, from: position })
      }
    }
  }
  await finishLine()
  await aside
  await drain()
  await reader.follower.close()

  const decoder = jsonLinesDecoder(decoderOptions)
  const decoded = batches.map((batch) => decoder.decode(batch))
  expect(decoded.flatMap((batch) => batch.rows.map((one) => one.row.n))).toEqual(written.good)
  expect(decoded.flatMap((batch) => batch.bad.map((one) => one.position.line))).toEqual(written.bad)
  for (const batch of decoded) for (const one of batch.bad) expect(one.excerpt).toContain(`oops ${one.position.line} €`)
}

const plan = fc.array(step, { minLength: 5, maxLength: 60 })

describe('each line once, in order, and each malformed one with its number, whatever the pieces, polls, rotations, restarts', () => {
  it('on the simulated disk', () =>
    fc.assert(
      fc.asyncProperty(plan, fc.integer(), fc.boolean(), fc.nat(30), async (steps, seed, shortReads, turns) => {
        await play(new SimulatedEnvironment({ seed, diskFaults: { shortReads, turns } }), '/data/log.jsonl', steps)
      }),
      { numRuns: 1500 },
    ))

  const root = mkdtempSync(join(tmpdir(), 'millrace-follow-property-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  let n = 0
  it('on the real disk', () =>
    fc.assert(
      fc.asyncProperty(plan, async (steps) => {
        const directory = join(root, String(n++))
        mkdirSync(directory)
        await play(nodeEnvironment(), join(directory, 'log.jsonl'), steps)
        rmSync(directory, { recursive: true })
      }),
      { numRuns: 60 },
    ))
})

it('a rotation while the rotated files are listed hides none of them', async () => {
  for (let seed = 0; seed < 300; seed++) {
    const env = new SimulatedEnvironment({ seed, diskFaults: { turns: 1 + (seed % 20) } })
    const writer = new Writer(env, '/log')
    const reader = new Reader(env, { path: '/log' })
    let serial = 0
    const write = (): Promise<void> => writer.append(`${serial++}\n`)
    const rotateAndWrite = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        await writer.rotate(false)
        await write()
      }
    }
    await write()
    await reader.all()
    await rotateAndWrite(3)
    await Promise.all([reader.all(), rotateAndWrite(3)])
    await reader.all()
    expect(reader.lines, `seed ${seed}`).toEqual(Array.from({ length: serial }, (_, i) => String(i)))
    await reader.follower.close()
  }
})

describe('truncation at any instant', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ do: fc.constant('truncate' as const), lines: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ do: fc.constant('poll' as const), lines: fc.integer({ min: 1, max: 8 }) }),
  )
  it('loses only what was written and truncated between polls, repeats nothing, and says so', () =>
    fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), fc.integer(), fc.boolean(), fc.nat(30), async (actions, seed, aside, turns) => {
        const env = new SimulatedEnvironment({ seed, diskFaults: { shortReads: true, turns } })
        const writer = new Writer(env, '/log')
        const reader = new Reader(env, { path: '/log' })
        let serial = 0
        let since = 0
        let polling: Promise<unknown> = Promise.resolve()
        const write = (lines: number): Promise<void> => writer.append(Array.from({ length: lines }, () => `line ${serial++}\n`).join(''))
        for (const { do: what, lines } of actions) {
          if (what === 'poll') {
            await polling
            polling = reader.once(lines * 10)
            if (!aside) await polling
          } else {
            if (what === 'truncate') {
              await writer.truncate()
              since = serial
            }
            if (lines > 0) await write(lines)
          }
        }
        await polling
        await reader.all()
        const got = reader.lines.map((one) => Number(one.slice(5)))
        for (let i = 1; i < got.length; i++) expect(got[i]).toBeGreaterThan(got[i - 1])
        expect(reader.lines.every((one) => /^line \d+$/.test(one))).toBe(true)
        expect(got.filter((one) => one >= since)).toEqual(Array.from({ length: serial - since }, (_, i) => since + i))
        const complete = got.length === serial
        expect(complete || reader.kinds.includes('truncated') || reader.kinds.indexOf('opened') >= 0).toBe(true)
        await reader.follower.close()
      }),
      { numRuns: 1500 },
    ))
})
