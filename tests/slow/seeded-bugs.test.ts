/** Every seeded bug is caught; `tests/seeded-bugs/runner/seeded-bug.ts` says how to add one. */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as aggregates from '../seeded-bugs/aggregates.ts'
import * as exchange from '../seeded-bugs/exchange.ts'
import * as groups from '../seeded-bugs/groups.ts'
import * as joins from '../seeded-bugs/joins.ts'
import * as loops from '../seeded-bugs/loops.ts'
import * as progress from '../seeded-bugs/progress.ts'
import { runSeededBug } from '../seeded-bugs/runner/run-seeded-bug.ts'
import { type SeededBug, seed } from '../seeded-bugs/runner/seeded-bug.ts'
import * as stateless from '../seeded-bugs/stateless.ts'
import * as temporal from '../seeded-bugs/temporal.ts'
import * as thresholds from '../seeded-bugs/thresholds.ts'
import * as traces from '../seeded-bugs/traces.ts'
import * as workers from '../seeded-bugs/workers.ts'

const families: Readonly<Record<string, readonly SeededBug[]>> = {
  aggregates: aggregates.bugs,
  exchange: exchange.bugs,
  traces: traces.bugs,
  workers: workers.bugs,
  groups: groups.bugs,
  joins: joins.bugs,
  loops: loops.bugs,
  progress: progress.bugs,
  stateless: stateless.bugs,
  temporal: temporal.bugs,
  thresholds: thresholds.bugs,
}

for (const [family, bugs] of Object.entries(families))
  describe(family, () => {
    for (const bug of bugs) test.concurrent(bug.title, async () => expect(await runSeededBug(bug)).not.toEqual([]))
  })

describe('the seeding itself', () => {
  const [bug] = progress.bugs

  test('every family is listed, and titles are unique', () => {
    const files = readdirSync(new URL('../seeded-bugs/', import.meta.url)).filter((name) => name.endsWith('.ts'))
    expect(files.map((name) => name.slice(0, -3)).sort()).toEqual(Object.keys(families).sort())
    for (const bugs of Object.values(families)) expect(new Set(bugs.map(({ title }) => title)).size).toBe(bugs.length)
  })

  test('a change of nothing, of a text that is not there, or of one that is there twice, is no bug', () => {
    expect(() => seed('a b', { ...bug, find: 'c', replace: '' })).toThrow(/occurs 0 times/)
    expect(() => seed('a a', { ...bug, find: 'a', replace: '' })).toThrow(/occurs 2 times/)
    expect(() => seed('a b', { ...bug, find: 'a', replace: 'a' })).toThrow(/changes nothing/)
    expect(seed('a b', { ...bug, find: 'a', replace: '$&c' })).toBe('$&c b')
  })

  test('a harmless change is not caught, and one that does not load is no bug', async () => {
    const harmless = {
      ...bug,
      find: 'export class TimeTable',
      replace: 'export class /* harmless */ TimeTable',
      file: 'runtime/time/time-table.ts',
    }
    expect(await runSeededBug({ ...harmless, caughtBy: 'tests/progress/time-table.test.ts' })).toEqual([])
    const broken = { ...harmless, replace: 'export clas TimeTable', caughtBy: 'tests/progress/time-table.test.ts' }
    await expect(runSeededBug(broken)).rejects.toThrow(/no test ran/)
  })
})
