/** Mistakes that the compiler finds; each line must be an error for `npm run types` to pass. Nothing here runs. */
import { expect, test } from 'vitest'
import { count, embed, int32, int64, job, max, stream, sum, table, text, timestamp } from '../../millrace.ts'

const accounts = table({ id: int32, owner: text, note: text }, { key: 'id' })
const orders = table({ id: int32, city: text, cents: int32, note: text })
const frauds = stream({ id: int64, at: timestamp })

function mistakes(): void {
  // @ts-expect-error a key that is no column
  table({ id: int32 }, { key: 'ident' })
  // @ts-expect-error one of the key's columns is none
  table({ id: int32, day: int32 }, { key: ['id', 'dya'] })

  const shop = job('shop', { accounts, orders, frauds }, ({ accounts, orders, frauds, ...rest }) => {
    // @ts-expect-error an input that is not there
    rest.customers
    // @ts-expect-error a misspelt column in an expression
    orders.filter((o) => o.citty.eq('Rimini'))
    // @ts-expect-error a condition that is none
    orders.filter((o) => o.cents)
    // @ts-expect-error a comparison of different kinds
    orders.filter((o) => o.city.eq(5))
    // @ts-expect-error arithmetic on text
    orders.select((o) => ({ double: o.city.plus(o.city) }))
    // @ts-expect-error a selection of what is no expression
    orders.select(() => ({ one: 1 }))
    // @ts-expect-error a misspelt key
    orders.groupBy('citty')
    // @ts-expect-error a sum of text
    orders.groupBy('city').aggregate((o) => ({ total: sum(o.city) }))
    // @ts-expect-error a misspelt column in an aggregate
    orders.groupBy('city').aggregate((o) => ({ most: max(o.sents) }))
    // @ts-expect-error an aggregate with the name of a key
    orders.groupBy('city').aggregate(() => ({ city: count() }))
    // @ts-expect-error an aggregate that is none
    orders.groupBy('city').aggregate((o) => ({ cents: o.cents }))
    // @ts-expect-error a key that only one side has
    orders.join(accounts, 'city')
    // @ts-expect-error a misspelt key
    orders.join(accounts, 'idd')
    // @ts-expect-error keys of kinds that are never equal
    orders.join(accounts, { id: 'owner' })
    // @ts-expect-error columns that are no keys have one name
    orders.join(accounts, 'id')
    // @ts-expect-error a column of the other side
    orders.join(accounts, 'id', (o, a) => ({ owner: o.owner, note: a.note }))
    // @ts-expect-error a misspelt key of an output
    orders.keyBy('ident')
    // @ts-expect-error collections of different columns
    orders.concat(accounts)
    // @ts-expect-error a row that does not fit the declared columns
    orders.map({ label: text }, (o) => ({ label: o.cents }))
    return {
      byCity: orders
        .groupBy('city')
        .aggregate((o) => ({ n: count(), cents: sum(o.cents) }))
        .keyBy('city'),
      log: orders.changelog(),
      joined: frauds.join(orders, 'id'),
    }
  })

  const app = embed(shop)
  // @ts-expect-error an output that is not there
  app.outputs.byTown
  // @ts-expect-error an input that is not there
  app.inputs.customers
  // @ts-expect-error a row without a column
  app.inputs.orders.insert({ id: 1, city: 'Rimini', note: '' })
  // @ts-expect-error a row with one more
  app.inputs.orders.insert({ id: 1, city: 'Rimini', cents: 1, note: '', more: 1 })
  // @ts-expect-error a value of the wrong type
  app.inputs.orders.insert({ id: '1', city: 'Rimini', cents: 1, note: '' })
  // @ts-expect-error a number for an int64
  app.inputs.frauds.insert({ id: 1, at: 0n })
  // @ts-expect-error a removal from a stream
  app.inputs.frauds.removeMany([])
  // @ts-expect-error an insertion into a table with a key
  app.inputs.accounts.insert({ id: 1, owner: '', note: '' })
  // @ts-expect-error an upsert into a table without a key
  app.inputs.orders.upsert({ id: 1, city: '', cents: 1, note: '' })
  // @ts-expect-error a key of the wrong type
  app.inputs.accounts.delete({ id: '1' })
  // @ts-expect-error a column that is no key
  app.inputs.accounts.delete({ owner: 'ann' })
  // @ts-expect-error a key of the wrong type
  app.outputs.byCity.get({ city: 1 })
  // @ts-expect-error a column that is no key
  app.outputs.byCity.get({ n: 1n })
  // @ts-expect-error an output that keeps nothing
  app.outputs.log.rows()
  // @ts-expect-error an output without a key
  app.outputs.joined.get({ id: 1n })
  // @ts-expect-error a count is a bigint
  const n: number = app.outputs.byCity.get({ city: '' })!.n
  void n
}

/** What the types say of a correct program. */
function correct(): void {
  const shop = job('shop', { accounts, orders, frauds }, ({ accounts, orders, frauds }) => ({
    byCity: orders
      .groupBy('city')
      .aggregate((o) => ({ n: count(), cents: sum(o.cents) }))
      .keyBy('city'),
    joined: frauds.join(orders, 'id'),
    both: orders.join(accounts, { id: 'id' }, (o, a) => ({ city: o.city, owner: a.owner })),
  }))
  const app = embed(shop)
  const row: { readonly city: string; readonly n: bigint; readonly cents: bigint } | undefined = app.outputs.byCity.get({ city: 'Rimini' })
  const joined: { id: bigint; at: bigint; city: string; cents: number; note: string }[] = app.outputs.joined.rows()
  const both: { city: string; owner: string }[] = app.outputs.both.rows()
  app.outputs.both.subscribe(({ changes }) => changes.map(({ row }): string => row.owner))
  void [row, joined, both]
}

test('the lines above compile as they say', () => {
  expect([mistakes, correct]).toHaveLength(2)
})
