/** Every seeded bug is caught; `tests/seeded-bugs/runner/seeded-bug.ts` says how to add one. */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { families } from '../seeded-bugs/runner/families.ts'
import { runSeededBug } from '../seeded-bugs/runner/run-seeded-bug.ts'
import { seed } from '../seeded-bugs/runner/seeded-bug.ts'

for (const [family, bugs] of Object.entries(families))
  describe(family, () => {
    for (const bug of bugs) test.concurrent(bug.title, async () => expect(await runSeededBug(bug)).not.toEqual([]))
  })

describe('the seeding itself', () => {
  const [bug] = families['progress']

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
