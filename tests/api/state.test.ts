/** State, memory and frontiers of an app in numbers; indexes that are shared count once, and what is closed leaves nothing. */
import { expect, test } from 'vitest'
import {
  avg,
  count,
  countDistinct,
  embed,
  imported,
  int32,
  job,
  max,
  minutes,
  type OperatorState,
  table,
  text,
  timestamp,
} from '../../millrace.ts'

const columns = { id: int32, owner: int32, name: text }
const all = job(
  'all',
  { accounts: table(columns, { key: 'id' }), events: table({ id: int32, at: timestamp, v: int32 }) },
  ({ accounts, events }) => ({
    byOwner: accounts.keyBy('owner'),
    numbers: accounts
      .groupBy('owner')
      .aggregate((a) => ({ n: count(), mean: avg(a.id), different: countDistinct(a.name), most: max(a.id) })),
    names: accounts.select((a) => ({ name: a.name })).distinct(),
    top: accounts.groupBy('owner').topK(2, (a) => a.id.desc()),
    reduced: accounts.groupBy('owner').reduce({ total: int32 }, (rows) => [{ total: rows.length }]),
    valid: events.validFor((e) => e.at, minutes(1)),
    reached: accounts
      .select((a) => ({ node: a.id }))
      .iterate((reached, enter) =>
        reached
          .join(enter(accounts.select((a) => ({ id: a.id, owner: a.owner }))), { node: 'id' }, (_, a) => ({ node: a.owner }))
          .concat(reached)
          .distinct(),
      ),
  }),
)

const OWNERS = 10

function fill(n: number) {
  const app = embed(all, { clock: () => 1_000_000 })
  app.inputs.accounts.upsertMany(Array.from({ length: n }, (_, id) => ({ id, owner: id % OWNERS, name: `name ${id % 7}` })))
  app.inputs.events.insertMany([
    { id: 1, at: 1_000_000n, v: 1 },
    { id: 2, at: 1_000_000n, v: 2 },
    { id: 3, at: -60_000_000n, v: 3 },
  ])
  app.commit()
  return app
}

test('each kind of state says what it keeps', () => {
  using app = fill(100)
  const states = app.state()
  const of = (operator: string): OperatorState[] => states.filter((state) => state.operator === operator)
  expect(of('accounts upsert')).toMatchObject([{ keys: 100, rows: 100, input: 'accounts', evicted: 0, shared: false }])
  const [byOwner] = states.filter(({ outputs }) => outputs.includes('byOwner'))
  expect(byOwner).toMatchObject({ operator: 'arrange', keys: OWNERS, rows: 100, input: 'accounts', since: app.time, upper: app.time + 1 })
  expect(of('aggregate')).toMatchObject([{ keys: OWNERS, rows: OWNERS, since: null }])
  expect(of('topK')).toMatchObject([{ keys: OWNERS, rows: 2 * OWNERS }])
  expect(of('reduce')).toMatchObject([{ keys: OWNERS, rows: OWNERS }])
  expect(of('distinct').map(({ rows }) => rows)).toContain(7)
  expect(of('validBetween')).toMatchObject([{ keys: 2, rows: 2 }])
  expect(of('distinct').some(({ rows }) => rows >= 100)).toBe(true)
  for (const { bytes, origin, operator, input, outputs } of states) {
    expect(bytes, operator).toBeGreaterThan(0)
    if (input === null && outputs.length === 0) expect(origin, operator).toContain('state.test.ts:')
  }
  const memory = app.memory()
  expect(memory.state).toBe(states.reduce((sum, { bytes }) => sum + bytes, 0))
  expect(memory.total).toBe(memory.state + memory.keyTables + memory.dictionary)
})

test('a hold is named, and what it keeps is counted', () => {
  using app = fill(10)
  const byOwner = (): OperatorState => app.state().find(({ outputs }) => outputs.includes('byOwner')) as OperatorState
  const own = byOwner().holders.length
  const hold = app.hold()
  const before = byOwner()
  expect(before.holders.filter(({ name }) => name.includes('reader'))).toEqual([{ name: 'byOwner reader', time: hold.time }])
  for (let i = 0; i < 20; i++) {
    app.inputs.accounts.upsert({ id: 1, owner: i % 3, name: 'x' })
    app.commit()
  }
  expect(byOwner().since).toBe(hold.time)
  expect(byOwner().batches).toBeGreaterThanOrEqual(20)
  expect(byOwner().bytes).toBeGreaterThan(before.bytes)
  hold.release()
  app.inputs.accounts.upsert({ id: 1, owner: 1, name: 'y' })
  app.commit()
  expect(byOwner().holders).toHaveLength(own)
  expect(byOwner().batches).toBeLessThanOrEqual(1)
})

test('frontiers show who holds a time back', () => {
  using app = fill(10)
  const time = app.time
  const rest = app.frontiers()
  expect(rest.find(({ operator }) => operator === 'accounts')).toMatchObject({ frontier: time + 1, held: time + 1, queued: 0 })
  expect(rest.filter(({ operator }) => operator === 'aggregate').map(({ frontier }) => frontier)).toEqual([time + 1])
  expect(rest.every(({ queued }) => queued === 0)).toBe(true)
  // A flushed chunk is on its way: whoever has taken it up holds its time.
  app.inputs.accounts.upsertMany(Array.from({ length: 3000 }, (_, id) => ({ id, owner: 1, name: 'z' })))
  const [upsert] = app.frontiers().filter(({ operator }) => operator === 'accounts upsert')
  expect(upsert).toMatchObject({ frontier: time + 1, held: time + 1, queued: 0 })
  app.commit()
  expect(app.frontiers().filter(({ operator }) => operator === 'accounts upsert')).toMatchObject([{ frontier: time + 2, held: null }])
})

const pair = { accountId: int32, ownerId: int32, note: text }
const bank = job('bank', { accounts: table(pair, { key: 'accountId' }) }, ({ accounts }) => ({ byOwner: accounts.keyBy('ownerId') }))
const owners = { owners: table({ ownerId: int32, name: text }) }
const reader = job('reader', { accounts: imported(pair, { key: 'ownerId' }), ...owners }, ({ accounts, owners }) => ({
  named: owners.join(accounts, 'ownerId').changelog(),
  most: accounts
    .groupBy('ownerId')
    .topK(1, (a) => a.accountId.desc())
    .changelog(),
}))
const N = 20_000
const accounts = Array.from({ length: N }, (_, i) => ({ accountId: i, ownerId: i % 5000, note: `note ${i}` }))

test('the memory of a shared index counts once', () => {
  using a = embed(bank, { clock: () => 0 })
  a.inputs.accounts.upsertMany(accounts)
  a.commit()
  const alone = a.memory().state
  const index = (a.state().find(({ outputs }) => outputs.includes('byOwner')) as OperatorState).bytes
  const apps = Array.from({ length: 3 }, () => embed(reader, { beside: a, imports: { accounts: a.outputs.byOwner } }))
  for (const b of apps) {
    for (let i = 0; i < 10; i++) b.inputs.owners.insert({ ownerId: i, name: `owner ${i}` })
    b.commit()
    expect(b.state().filter(({ shared }) => shared)).toMatchObject([{ operator: 'accounts', bytes: 0, keys: 5000, rows: N }])
  }
  expect(a.memory().state).toBeLessThan(alone + 0.05 * index)
  const unshared = index + a.memory().keyTables
  for (const b of apps) {
    const arranged = b.state().filter(({ operator }) => operator === 'arrange')
    expect(arranged.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(unshared)
    expect(arranged.every(({ rows }) => rows <= 10)).toBe(true)
    b.close()
  }
})

test('a thousand apps that come and go beside one leave its memory as it was', () => {
  using a = embed(bank, { clock: () => 0 })
  a.inputs.accounts.upsertMany(accounts.slice(0, 500))
  a.commit()
  const cycle = (i: number): void => {
    const b = embed(reader, { beside: a, imports: { accounts: a.outputs.byOwner } })
    b.inputs.owners.insert({ ownerId: i % 500, name: 'passing' })
    if (i % 3 === 0) b.outputs.named.subscribe(() => {})
    a.inputs.accounts.upsert({ accountId: i % 500, ownerId: i % 37, note: `note ${i % 11}` })
    b.commit()
    b.close()
  }
  for (let i = 0; i < 50; i++) cycle(i)
  const shape = () => ({
    ...a.memory(),
    frontiers: a.frontiers().length,
    holders: a.state().map(({ holders, batches }) => [holders.length, batches]),
  })
  const before = shape()
  for (let i = 0; i < 1000; i++) cycle(i)
  const after = shape()
  expect(after.holders).toEqual(before.holders)
  expect(after.frontiers).toBe(before.frontiers)
  expect(after.total).toBeLessThan(1.1 * before.total)
  // A failed one leaves nothing, either.
  const b = embed(reader, { beside: a, imports: { accounts: a.outputs.byOwner } })
  b.outputs.named.subscribeColumns(() => {
    throw new Error('reader')
  })
  b.inputs.owners.insert({ ownerId: 1, name: 'x' })
  expect(() => a.commit()).toThrow('reader')
  b.close()
  a.inputs.accounts.upsert({ accountId: 1, ownerId: 1, note: '' })
  a.commit()
  a.inputs.accounts.upsert({ accountId: 2, ownerId: 1, note: '' })
  a.commit()
  expect(shape().holders).toEqual(before.holders)
})
