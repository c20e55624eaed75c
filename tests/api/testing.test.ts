/** The test driver that users get. */
import { expect, test } from 'vitest'
import { count, days, embed, int32, job, MillraceError, table, timestamp } from '../../millrace.ts'
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
