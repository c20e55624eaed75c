/** Following outputs: subscribers, iterators, and what happens when they are slow, late or wrong. */
import { expect, test } from 'vitest'
import { count, embed, int32, job, table, text } from '../../millrace.ts'
import { ChangesQueue, UpdatesQueue } from '../../worker/embedded-follow.ts'

const words = job('words', { words: table({ word: text }) }, ({ words }) => {
  const counts = words.groupBy('word').aggregate(() => ({ n: count() }))
  return { counts: counts.keyBy('word'), log: counts.changelog(), words }
})
const rows = (...list: string[]) => list.map((word) => ({ word }))

test('subscribers are told after the commit, and find every output at its time', () => {
  using app = embed(words)
  const seen: unknown[] = []
  app.outputs.log.subscribe(({ time, changes }) => {
    seen.push([time, changes.length, app.time, app.outputs.counts.get({ word: 'a' })?.n])
  })
  app.inputs.words.insertMany(rows('a', 'b', 'a'))
  const time = app.commit()
  app.commit()
  expect(seen).toEqual([[time, 2, time, 2n]])
})

test('a snapshot comes first', () => {
  using app = embed(words)
  app.inputs.words.insertMany(rows('a', 'b', 'a'))
  const time = app.commit()
  const seen: unknown[] = []
  const stop = app.outputs.counts.subscribe((changes) => seen.push(changes), { snapshot: true })
  expect(seen).toEqual([
    {
      time,
      changes: [
        { row: { word: 'a', n: 2n }, diff: 1 },
        { row: { word: 'b', n: 1n }, diff: 1 },
      ],
    },
  ])
  stop()
  app.inputs.words.insert({ word: 'c' })
  app.commit()
  expect(seen).toHaveLength(1)
})

test('a commit inside a subscriber is refused; writing there is for the next commit', () => {
  using app = embed(words)
  let told = 0
  app.outputs.log.subscribe(() => {
    if (told++ > 0) return
    app.inputs.words.insertMany(rows('late'))
    app.commit()
  })
  app.inputs.words.insertMany(rows('a'))
  expect(() => app.commit()).toThrow(expect.objectContaining({ code: 'REENTRANT' }))
  expect(app.outputs.counts.get({ word: 'late' })).toBeUndefined()
  app.commit()
  expect(app.outputs.counts.get({ word: 'late' })?.n).toBe(1n)
})

test('a subscriber that throws harms neither the commit nor the others', () => {
  using app = embed(words)
  let told = 0
  app.outputs.log.subscribe(() => {
    throw new Error('mine')
  })
  app.outputs.log.subscribe(() => told++)
  app.outputs.log.subscribeColumns(() => {
    throw new Error('in columns')
  })
  app.inputs.words.insertMany(rows('a'))
  expect(() => app.commit()).toThrow('2 subscribers threw')
  expect([told, app.outputs.counts.get({ word: 'a' })?.n]).toEqual([1, 1n])
})

test('whoever subscribes while rows are under way is told to wait', () => {
  using app = embed(words)
  app.inputs.words.insertMany(Array.from({ length: 5000 }, (_, i) => ({ word: `w${i}` })))
  expect(() => app.outputs.log.subscribe(() => {})).toThrow('Subscribe before you insert')
  app.commit()
  app.outputs.log.subscribe(() => {})
})

test('columns: words, views and differences', () => {
  const numbers = job('numbers', { t: table({ i: int32, s: text }) }, ({ t }) => ({ t: t.changelog() }))
  using app = embed(numbers)
  const seen: unknown[] = []
  app.outputs.t.subscribeColumns(({ n, columns, differences, dictionary }) => {
    for (let i = 0; i < n; i++) seen.push([columns.i[i], dictionary.get(Number(columns.s[i])), differences[i]])
  })
  app.inputs.t.insertColumns({ i: Int32Array.of(1, 2), s: ['x', 'y'] }, Int32Array.of(1, -3))
  app.inputs.t.removeColumns({ i: Int32Array.of(1), s: ['x'] })
  app.commit()
  expect(seen).toEqual([
    [1, 'x', 1],
    [2, 'y', -3],
    [1, 'x', -1],
  ])
  expect(() => app.inputs.t.insertColumns({ i: Int32Array.of(1, 2), s: ['x'] })).toThrow('different lengths')
})

test('changes() and updates() as async iterators end with the app', async () => {
  const app = embed(words)
  const changes = app.outputs.log.changes()
  const updates = app.outputs.counts.updates()
  const first = changes.next()
  app.inputs.words.insertMany(rows('a', 'b'))
  const one = app.commit()
  app.inputs.words.insertMany(rows('a'))
  app.inputs.words.remove({ word: 'b' })
  const two = app.commit()
  expect(await first).toMatchObject({ done: false, value: { time: one } })
  app.close()
  const rest: unknown[] = []
  for await (const { time } of changes) rest.push(time)
  expect(rest).toEqual([two])
  const all: unknown[] = []
  for await (const { key, before, after, time } of updates) all.push([key.word, before?.n, after?.n, time])
  expect(all).toEqual([
    ['a', undefined, 1n, one],
    ['b', undefined, 1n, one],
    ['a', 1n, 2n, two],
    ['b', 1n, undefined, two],
  ])
})

test('leaving the loop unsubscribes', async () => {
  using app = embed(words)
  const changes = app.outputs.log.changes()
  app.inputs.words.insertMany(rows('a'))
  app.commit()
  for await (const _ of changes) break
  expect(app.queues.size).toBe(0)
})

test('a reader that is too slow gets an error, or merged updates', async () => {
  const changes = new ChangesQueue<{ k: number }>('x', () => {})
  const many = Array.from({ length: 1 << 19 }, (_, k) => ({ row: { k }, diff: 1 }))
  for (let time = 0; time < 3; time++) changes.add({ time, changes: many })
  await expect(changes.next()).rejects.toMatchObject({ code: 'OVERFLOW' })
  expect(await changes.next()).toMatchObject({ done: true })

  const updates = new UpdatesQueue<{ k: number; v: number }, { k: number }>(['k'], () => {})
  for (let time = 0; time < 10_000; time++) {
    const old = time < 2 ? [] : [{ row: { k: time % 2, v: time - 2 }, diff: -1 }]
    updates.add({ time, changes: [...old, { row: { k: time % 2, v: time }, diff: 1 }] })
  }
  expect(updates.length).toBeLessThan(5000)
  updates.end()
  const last = new Map<number, number | undefined>()
  for await (const { key, before, after } of updates) {
    expect(before?.v).toBe(last.get(key.k))
    last.set(key.k, after?.v)
  }
  expect([...last]).toEqual([
    [0, 9998],
    [1, 9999],
  ])
})
