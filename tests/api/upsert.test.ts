/** Keyed tables against their definition: a map from key to row, the last command of a commit wins. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { count, decimal, embed, float64, int32, int64, job, nullable, table, text } from '../../millrace.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'

type Command = { key: number; value: number | null }

function check<R extends object>(
  make: (key: number, value: number) => R,
  keyOf: (key: number) => object,
  columns: Parameters<typeof table>[0],
  key: string[],
): void {
  const j = job('j', { t: table(columns, { key }) }, ({ t }) => ({ t, log: t.changelog() }))
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.record({ key: fc.nat(6), value: fc.option(fc.nat(2)) }), { maxLength: 8 }), { maxLength: 12 }),
      fc.boolean(),
      (rounds: Command[][], force) => {
        KeyTable.forceHash = force
        using app = embed(j)
        KeyTable.forceHash = false
        const model = new Map<number, R>()
        let churn = 0
        let told = 0
        app.outputs.log.subscribe(({ changes }) => {
          told += changes.length
        })
        for (const round of rounds) {
          const before = new Map(model)
          for (const { key, value } of round) {
            if (value === null) {
              app.inputs.t.delete(keyOf(key) as never)
              model.delete(key)
            } else {
              app.inputs.t.upsert(make(key, value) as never)
              model.set(key, make(key, value))
            }
          }
          app.commit()
          for (let key = 0; key <= 6; key++) {
            const [old, now] = [before.get(key), model.get(key)]
            if (JSON.stringify(old, bigints) !== JSON.stringify(now, bigints))
              churn += (old === undefined ? 0 : 1) + (now === undefined ? 0 : 1)
          }
          const text = (row: object) => JSON.stringify(row, bigints)
          expect(app.outputs.t.rows().map(text).sort()).toEqual([...model.values()].map(text).sort())
        }
        expect(told).toBe(churn)
      },
    ),
    { numRuns: 150 },
  )
}

const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : Object.is(value, -0) ? '-0' : value)

test('an int key, one word of value', () => {
  check(
    (k, v) => ({ k, v }),
    (k) => ({ k }),
    { k: int32, v: int32 },
    ['k'],
  )
})

test('a key that is all there is', () => {
  check(
    (k) => ({ k: `k${k}` }),
    (k) => ({ k: `k${k}` }),
    { k: text },
    ['k'],
  )
})

test('a wide key in the middle of wide values', () => {
  check(
    (k, v) => ({ v: BigInt(v), a: k >> 1 === 0 ? null : k >> 1, s: `s${v}`, b: BigInt(k & 1) - 2n ** 40n, f: v / 3 }),
    (k) => ({ a: k >> 1 === 0 ? null : k >> 1, b: BigInt(k & 1) - 2n ** 40n }),
    { v: int64, a: nullable(int32), s: text, b: int64, f: float64 },
    ['a', 'b'],
  )
})

test('keys that are equal though they are written differently', () => {
  check(
    (k, v) => ({ k: v === 1 ? `${k}.0` : `${k}`, f: v === 1 ? 0 : -0 }),
    (k) => ({ k: `${k}.00`, f: 0 }),
    { k: decimal, f: float64 },
    ['k', 'f'],
  )
})

test('what reads a keyed table follows its changes', () => {
  const j = job('j', { t: table({ k: int32, g: text }, { key: 'k' }) }, ({ t }) => ({
    n: t
      .groupBy('g')
      .aggregate(() => ({ n: count() }))
      .keyBy('g'),
  }))
  using app = embed(j)
  app.inputs.t.upsertColumns({
    k: Int32Array.from({ length: 6000 }, (_, i) => i % 3000),
    g: Array.from({ length: 6000 }, (_, i) => `g${i % 7}`),
  })
  app.commit()
  const total = () => app.outputs.n.scan().reduce((sum, { n }) => sum + n, 0n)
  expect(total()).toBe(3000n)
  app.inputs.t.deleteMany(Array.from({ length: 1000 }, (_, k) => ({ k })))
  app.commit()
  expect(total()).toBe(2000n)
})
