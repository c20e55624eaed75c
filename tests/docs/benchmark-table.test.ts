/** The table in the README is made from a run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { node, root } from '../package/run.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-table-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const peers = [
  {
    case: 'degrees 100000 1000000 1000 100',
    figure: 'updates_per_s',
    millrace: 13_100_000,
    handrolled: 7_700_000,
    'db-ivm': 370_000,
    d2ts: 40_123,
  },
  { case: 'reach 100000 200000 1 50', figure: 'p50_us', millrace: 58.3, handrolled: 26_012 },
  { case: 'degrees 100000 1000000 1000 100', figure: 'load_ms', millrace: 46.7, handrolled: 119 },
]
const all = {
  engine: 'millrace',
  workload: 'degrees',
  args: [100000, 1000000, 1000, 100],
  load_ms: 41.7,
  rss_mb: 101.4,
  p50_us: 75.2,
  p99_us: 140,
}

test('a run goes between the markers, and a second one takes its place', () => {
  const page = join(folder, 'README.md')
  writeFileSync(page, readFileSync(join(root, 'README.md')))
  const files = [join(folder, 'all.jsonl'), join(folder, 'peers.jsonl')]
  writeFileSync(files[0], `${JSON.stringify(all)}\n1 of 1 cases right\n`)
  writeFileSync(files[1], peers.map((line) => `${JSON.stringify(line)}\n`).join(''))
  node(['scripts/benchmark-table.mjs', '--page', page, ...files], root)
  const text = readFileSync(page, 'utf8')
  expect(text).toContain('| 1,000,000; 1,000; 100 | updates | 13 M/s | 7.7 M/s | 0.37 M/s | 40,123 /s |')
  expect(text).toContain('| reach | 200,000; 1; 50 | median round | 58 us | 26 ms | - | - |')
  expect(text).toContain('| load | 47 ms | 119 ms | - | - |')
  expect(text).toContain('`reach`: nodes reachable from one')
  expect(text).toContain('| 42 ms | 101 MB | 75 us | 140 us |')
  node(['scripts/benchmark-table.mjs', '--page', page, ...files], root)
  expect(readFileSync(page, 'utf8')).toBe(text)
})

test('what is no run, or no page, is refused', () => {
  const page = join(folder, 'other.md')
  writeFileSync(page, '# Nothing\n')
  const file = join(folder, 'none.jsonl')
  writeFileSync(file, '{"x":1}\n')
  expect(() => node(['scripts/benchmark-table.mjs', '--page', page, file], root)).toThrow('no figures')
  writeFileSync(file, `${JSON.stringify(all)}\n`)
  expect(() => node(['scripts/benchmark-table.mjs', '--page', page, file], root)).toThrow('no place')
})
