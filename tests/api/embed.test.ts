/** The embedded API from end to end: typed inputs and outputs, commits, reads. */
import { expect, test } from 'vitest'
import { count, embed, int32, job, stream, table, text } from '../../millrace.ts'

const degrees = job('degrees', { edges: table({ src: int32, dst: int32 }) }, ({ edges }) => {
  const perNode = edges.groupBy('src').aggregate(() => ({ d: count() }))
  const histogram = perNode.groupBy('d').aggregate(() => ({ n: count() }))
  return { perNode: perNode.keyBy('src'), histogram, changes: histogram.changelog() }
})

test('counts of counts, read by key, as rows and as changes', () => {
  using app = embed(degrees)
  const seen: unknown[] = []
  app.outputs.changes.subscribe(({ changes }) => seen.push(changes))
  app.inputs.edges.insertMany([
    { src: 1, dst: 2 },
    { src: 1, dst: 3 },
    { src: 2, dst: 3 },
  ])
  const first = app.commit()
  expect(app.time).toBe(first)
  expect(app.outputs.perNode.get({ src: 1 })).toEqual({ src: 1, d: 2n })
  expect(app.outputs.perNode.get({ src: 9 })).toBeUndefined()
  expect(app.outputs.histogram.rows()).toHaveLength(2)
  app.inputs.edges.remove({ src: 1, dst: 2 })
  expect(app.commit()).toBeGreaterThan(first)
  expect(app.outputs.histogram.rows()).toEqual([{ d: 1n, n: 2n }])
  expect(seen).toEqual([
    [
      { row: { d: 2n, n: 1n }, diff: 1 },
      { row: { d: 1n, n: 1n }, diff: 1 },
    ],
    [
      { row: { d: 2n, n: 1n }, diff: -1 },
      { row: { d: 1n, n: 1n }, diff: -1 },
      { row: { d: 1n, n: 2n }, diff: 1 },
    ],
  ])
})

const owners = job(
  'owners',
  {
    accounts: table({ id: int32, owner: text, note: text }, { key: 'id' }),
    frauds: stream({ id: int32, cents: int32 }),
  },
  ({ accounts, frauds }) => ({
    joined: frauds.join(accounts, 'id'),
    projected: frauds.join(accounts, { id: 'id' }, (f, a) => ({ owner: a.owner, double: f.cents.plus(f.cents) })),
    accounts,
  }),
)

test('upserts replace, deletes remove, joins follow', () => {
  using app = embed(owners)
  app.inputs.accounts.upsertMany([
    { id: 1, owner: 'ann', note: '' },
    { id: 2, owner: 'bob', note: '' },
    { id: 1, owner: 'eve', note: 'last wins' },
  ])
  app.inputs.frauds.insert({ id: 1, cents: 5 })
  app.commit()
  expect(app.outputs.joined.rows()).toEqual([{ id: 1, cents: 5, owner: 'eve', note: 'last wins' }])
  expect(app.outputs.projected.rows()).toEqual([{ owner: 'eve', double: 10 }])
  app.inputs.accounts.upsert({ id: 1, owner: 'kim', note: '' })
  app.inputs.accounts.delete({ id: 2 })
  app.inputs.accounts.delete({ id: 77 })
  app.commit()
  expect(app.outputs.joined.rows()).toEqual([{ id: 1, cents: 5, owner: 'kim', note: '' }])
  expect(app.outputs.accounts.rows()).toEqual([{ id: 1, owner: 'kim', note: '' }])
})

test('a job runs many times at once', () => {
  using a = embed(degrees)
  using b = embed(degrees)
  a.inputs.edges.insert({ src: 1, dst: 2 })
  a.commit()
  b.commit()
  expect(a.outputs.histogram.rows()).toHaveLength(1)
  expect(b.outputs.histogram.rows()).toHaveLength(0)
})
