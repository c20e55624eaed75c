/** The load's definition notices whatever is not exactly what it must be. */
import { describe, expect, test } from 'vitest'
import { type Fact, Load } from './load.ts'

const load = new Load({ rate: 1000, partitions: 3, accounts: 8 })
const facts = (): Fact[] => [...load.expected([50, 0, 7], [3, 40])]

describe('the load', () => {
  test('takes what comes of any number of rows, by counting them one by one', () => {
    expect(load.problem([])).toBeNull()
    expect(load.problem(facts())).toBeNull()
    expect(load.changes(facts())).toBe(100)
    const n = new Map<string, number>()
    for (const [partition, read] of [50, 0, 7].entries())
      for (let i = 0; i < read; i++) {
        const account = `account-${(i * 7 + partition * 11) % 8}`
        n.set(account, (n.get(account) ?? 0) + i)
      }
    const sums = facts().filter(({ what }) => what === 'account')
    expect(new Map(sums.map(({ key, total }) => [key, total]))).toEqual(n)
  })

  test('sees a fact that is missing, there twice, of another time, or changed', () => {
    for (let i = 0; i < facts().length; i++) {
      expect(load.problem(facts().toSpliced(i, 1))).not.toBeNull()
      expect(load.problem([...facts(), facts()[i]])).not.toBeNull()
      for (const field of ['n', 'total'] as const)
        for (const by of [1, -1]) expect(load.problem(facts().with(i, { ...facts()[i], [field]: facts()[i][field] + by }))).not.toBeNull()
    }
    const later = [...load.expected([51, 0, 7], [3, 41])]
    for (let i = 0; i < later.length; i++)
      if (JSON.stringify(later[i]) !== JSON.stringify(facts()[i])) expect(load.problem(facts().with(i, later[i]))).not.toBeNull()
  })
})
