/** The test driver that users get. */
import { expect, test } from 'vitest'
import { count, days, embed, int32, job, MillraceError, stream, table, timestamp } from '../../millrace.ts'
import { testDriver } from '../../testing.ts'

const j = job('j', { t: table({ k: int32, at: timestamp }) }, ({ t }) => ({ t, n: t.groupBy().aggregate(() => ({ n: count() })) }))

test('the clock is in hand', () => {
  using t = testDriver(j, { start: new Date('2026-01-01') })
  expect(t.now).toBe(BigInt(Date.UTC(2026, 0, 1)) * 1000n)
  t.inputs.t.insert({ k: 1, at: t.now })
  const first = t.commit()
  expect(BigInt(first)).toBe(t.now)
  t.inputs.t.insert({ k: 2, at: t.now })
  const later = t.advance(days(31))
  expect(later - first).toBe(Number(days(31)) + 1)
  expect(t.outputs.n.rows()).toEqual([{ n: 2n }])
  expect(() => t.advance(0)).toThrow(MillraceError)
  expect(t.advanceTo(later + 5)).toBe(later + 5)
  expect(t.commit()).toBe(later + 6)
})

test('a driver runs in development mode', () => {
  using t = testDriver(j)
  t.inputs.t.remove({ k: 1, at: 0n })
  t.commit()
  expect(t.outputs.t.errors.rows()).toHaveLength(1)
  using app = embed(j)
  app.inputs.t.remove({ k: 1, at: 0n })
  app.commit()
  expect(app.outputs.t.errors.rows()).toHaveLength(0)
})

test('the fraud feature store: rows expire, corrections arrive', () => {
  const store = job(
    'feature-store',
    {
      accounts: table({ accountId: int32, ownerId: int32 }, { key: 'accountId' }),
      frauds: stream({ accountId: int32, at: timestamp }),
    },
    ({ accounts, frauds }) => {
      const perOwner = frauds
        .validFor((f) => f.at, days(30))
        .join(accounts, 'accountId')
        .groupBy('ownerId')
        .aggregate(() => ({ frauds: count() }))
      return {
        accountFrauds: accounts
          .leftJoin(perOwner, 'ownerId', (a, p) => ({ accountId: a.accountId, frauds: p.frauds.orElse(0) }))
          .keyBy('accountId'),
      }
    },
  )
  using t = testDriver(store)
  const of = (accountId: number) => t.outputs.accountFrauds.get({ accountId })?.frauds
  t.inputs.accounts.upsertMany([
    { accountId: 1, ownerId: 7 },
    { accountId: 2, ownerId: 7 },
    { accountId: 3, ownerId: 8 },
  ])
  t.inputs.frauds.insert({ accountId: 1, at: t.now })
  t.commit()
  expect([of(1), of(2), of(3)]).toEqual([1n, 1n, 0n])
  t.advance(days(29))
  t.inputs.frauds.insert({ accountId: 2, at: t.now })
  t.inputs.accounts.upsert({ accountId: 3, ownerId: 7 })
  t.commit()
  expect([of(1), of(2), of(3)]).toEqual([2n, 2n, 2n])
  t.advance(days(1))
  expect([of(1), of(2), of(3)]).toEqual([1n, 1n, 1n])
  t.inputs.accounts.delete({ accountId: 2 })
  t.commit()
  expect([of(1), of(2), of(3)]).toEqual([0n, undefined, 0n])
  t.advance(days(31))
  expect(of(1)).toBe(0n)
})
