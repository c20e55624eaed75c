/** Reading outputs: by key, in ranges, as of a time, with multiplicities. */
import { expect, test } from 'vitest'
import { count, decimal, embed, float64, int32, int64, job, nullable, table, text } from '../../millrace.ts'

const shop = job('shop', { orders: table({ city: text, day: int32, cents: int64, weight: nullable(float64) }) }, ({ orders }) => ({
  orders,
  byCity: orders
    .groupBy('city')
    .aggregate(() => ({ n: count() }))
    .keyBy('city'),
  byCityDay: orders.keyBy('city', 'day'),
}))
const order = (city: string, day: number, cents = 1n, weight: number | null = null) => ({ city, day, cents, weight })

test('get, getAll, scan', () => {
  using app = embed(shop)
  const { orders, byCity, byCityDay } = app.outputs
  app.inputs.orders.insertMany([order('b', 2), order('a', 1, 5n), order('a', 2), order('a', 1, 3n), order('c', 1), order('a', 10)])
  app.commit()
  expect(byCity.get({ city: 'a' })).toEqual({ city: 'a', n: 4n })
  expect(byCity.get({ city: 'never seen' })).toBeUndefined()
  expect(byCityDay.getAll({ city: 'a', day: 1 })).toEqual([order('a', 1, 3n), order('a', 1, 5n)])
  expect(() => byCityDay.get({ city: 'a', day: 1 })).toThrow('several rows of one key')
  expect(byCityDay.get({ city: 'a', day: 10 })).toEqual(order('a', 10))
  expect(byCityDay.scan({ prefix: { city: 'a' } }).map((row) => row.day)).toEqual([1, 1, 2, 10])
  expect(byCityDay.scan({ from: { city: 'a', day: 2 }, to: { city: 'c' } })).toEqual([order('a', 2), order('a', 10), order('b', 2)])
  expect(byCityDay.scan({ from: { city: 'aa' } }).map((row) => row.city)).toEqual(['b', 'c'])
  expect(byCityDay.scan({ limit: 2 })).toEqual([order('a', 1, 3n), order('a', 1, 5n)])
  expect(() => byCityDay.scan({ prefix: { day: 1 } })).toThrow('not over the first of the key columns (city, day)')
  expect(orders.rows()).toHaveLength(6)
  // @ts-expect-error plain JavaScript may pass a bare value
  expect(() => byCity.get('a')).toThrow('Write get({ city: ... })')
})

test('rows as often as they are there; removals of what was never inserted are not hidden', () => {
  using app = embed(shop)
  const { orders } = app.outputs
  app.inputs.orders.insertMany([order('a', 1), order('a', 1), order('b', 1)])
  app.commit()
  expect(orders.rows()).toEqual([order('a', 1), order('a', 1), order('b', 1)])
  expect(orders.multiset()).toEqual([
    { row: order('a', 1), multiplicity: 2 },
    { row: order('b', 1), multiplicity: 1 },
  ])
  app.inputs.orders.remove(order('z', 9))
  app.commit()
  expect(() => orders.rows()).toThrow('more was removed than inserted')
  expect(orders.multiset()).toContainEqual({ row: order('z', 9), multiplicity: -1 })
})

test('in development such a removal is an error that names the input and the row, until it is made good', () => {
  using app = embed(shop, { development: true })
  const { orders } = app.outputs
  app.inputs.orders.insertMany([order('a', 1), order('z', 9)])
  app.commit()
  app.inputs.orders.removeMany([order('z', 9), order('z', 9)])
  app.commit()
  expect(orders.errors.rows()).toMatchObject([
    { operator: 'input', origin: 'orders', row: '{ city: "z", day: 9, cents: 1n, weight: null }' },
  ])
  app.inputs.orders.insert(order('z', 9))
  app.commit()
  expect(orders.errors.rows()).toEqual([])
})

test('asOf reads the past that a hold keeps', () => {
  using app = embed(shop)
  const { byCity, orders } = app.outputs
  app.inputs.orders.insertMany([order('a', 1), order('b', 1)])
  const first = app.commit()
  const hold = app.hold()
  app.inputs.orders.insert(order('a', 2))
  app.inputs.orders.remove(order('b', 1))
  const second = app.commit()
  app.inputs.orders.insert(order('c', 2))
  const third = app.commit()
  const at = (asOf: number) => byCity.scan({ asOf }).map((row) => `${row.city}${row.n}`)
  expect([at(first), at(second), at(third)]).toEqual([['a1', 'b1'], ['a2'], ['a2', 'c1']])
  expect(byCity.get({ city: 'b' }, { asOf: first })).toEqual({ city: 'b', n: 1n })
  expect(orders.rows({ asOf: first })).toHaveLength(2)
  expect(byCity.get({ city: 'a' }, { atLeast: third })).toEqual({ city: 'a', n: 2n })
  expect(() => byCity.get({ city: 'a' }, { atLeast: third + 1 })).toThrow('not complete yet')
  expect(() => byCity.get({ city: 'a' }, { asOf: third + 1 })).toThrow('not complete yet')
  hold.release()
  app.inputs.orders.insert(order('a', 3))
  app.commit()
  app.inputs.orders.insert(order('a', 4))
  app.commit()
  expect(() => byCity.get({ city: 'a' }, { asOf: first })).toThrow('least that can still be read')
})

test('keys are equal by value', () => {
  const values = job('values', { items: table({ price: decimal, weight: float64, big: nullable(int64) }) }, ({ items }) => ({
    byPrice: items.keyBy('price'),
    byWeight: items.keyBy('weight'),
    byBig: items.keyBy('big'),
    items,
  }))
  using app = embed(values)
  const item = { price: '1.10', weight: -0, big: -(2n ** 63n) }
  app.inputs.items.insertMany([item, { price: '2', weight: Number.NaN, big: null }])
  app.commit()
  expect(app.outputs.byPrice.get({ price: '1.1' })).toEqual(item)
  expect(app.outputs.byWeight.get({ weight: 0 })).toEqual(item)
  expect(app.outputs.byWeight.get({ weight: Number.NaN })?.price).toBe('2')
  expect(app.outputs.byBig.get({ big: null })?.price).toBe('2')
  expect(app.outputs.byBig.get({ big: -(2n ** 63n) })).toEqual(item)
  expect(app.outputs.items.rows()).toHaveLength(2)
})
