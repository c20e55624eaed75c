/** What threads answer: to wrong rows, to reads and followers, to failures, and to commands of dataflows that are gone. */
import { expect, test } from 'vitest'
import { count, int32, job, max, min, stream, table, text } from '../../millrace.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { WireEncoder } from '../../runtime/channel/wire.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { Feed, ThreadCommand } from '../../runtime/protocol/thread.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'
import { type Answer, JobTable, started, Threads, tick } from './threads.ts'

function sum({ rows }: Answer): Record<string, number> {
  const set: Multiset = new Map()
  for (const { row, diff } of rows) add(set, row, diff)
  return plain(set)
}

const cities = job('cities', { people: table({ id: int32, city: text }, { key: 'id' }) }, ({ people }) => ({
  people,
  byCity: people.keyBy('city'),
  counts: people
    .groupBy('city')
    .aggregate(() => ({ n: count() }))
    .keyBy('city'),
  log: people.changelog(),
  far: people.probe(),
}))

test('a wrong row becomes an error, and the others of its run are rows', () => {
  const j = job(
    'j',
    { t: table({ id: int32, city: text }), s: stream({ id: int32 }), k: table({ id: int32, city: text }, { key: 'id' }) },
    (c) => c,
  )
  const threads = started(j)
  const wrong = [{ id: 1, city: 'Rimini' }, { id: 'two', city: 'b' }, null, 3, { id: 4 }, { id: 5, city: 'Cesena' }] as object[]
  threads.feed(1, 't', [
    { op: 'insert', rows: wrong },
    { op: 'upsert', rows: [{ id: 6, city: 'c' }] },
  ])
  threads.feed(1, 's', [
    { op: 'insert', rows: [{ id: 1 }] },
    { op: 'remove', rows: [{ id: 1 }] },
  ])
  threads.feed(1, 'k', [
    {
      op: 'upsert',
      rows: [
        { id: 1, city: 'a' },
        { id: 2n, city: 'b' },
        { id: 1, city: 'c' },
      ],
    },
    { op: 'delete', rows: [{ id: 7 }, null as unknown as object, { id: 'x' }] },
    { op: 'insert', rows: [{ id: 8, city: 'd' }] },
    {
      op: 'upsert',
      rows: [
        { id: 1, city: 'c' },
        { id: 9, city: 9 },
      ],
      origin: { source: 'k.jsonl', before: 'line ', first: 41, after: ' of content 2' },
    },
    { op: 'reject', rows: [{ source: 'k.jsonl', position: '17', excerpt: '{"id": \ud800', message: 'no JSON' }] },
    { op: 'reject', rows: [{ source: 'k.jsonl', position: 18 as unknown as string, excerpt: 'x'.repeat(9000), message: 'long' }] },
  ])
  tick(threads, 5)
  expect(sum(threads.read(1, 't', 5))).toEqual({ '{"id":1,"city":"Rimini"}': 1, '{"id":5,"city":"Cesena"}': 1 })
  expect(sum(threads.read(1, 's', 5))).toEqual({ '{"id":1}': 1 })
  expect(sum(threads.read(1, 'k', 5))).toEqual({ '{"id":1,"city":"c"}': 1 })
  const errors = (output: string): unknown[] =>
    threads.read(1, output, 5, { errors: true }).rows.map(({ row, diff }) => {
      expect([row['operator'], row['origin'], diff]).toEqual(['input', output, 1])
      return [row['row'], row['message'], row['source'], row['position']]
    })
  expect(errors('t').sort()).toEqual([
    ['3', 'expected an object, got 3', null, null],
    ['null', 'expected an object, got null', null, null],
    ['{ id: "two", city: "b" }', 'column "id": expected int32, got "two"', null, null],
    ['{ id: 4 }', 'column "city": expected text, got nothing (undefined)', null, null],
    ['{ id: 6, city: "c" }', 'upsert is for tables with a key, and t has none', null, null],
  ])
  expect(errors('s')).toEqual([['{ id: 1 }', 's is a stream, to which rows are only added', null, null]])
  const k = errors('k').sort() as string[][]
  expect(k.filter(([row]) => !row.startsWith('xx'))).toEqual([
    ['null', 'a key is an object, not null', null, null],
    ['{ id: "x" }', 'key column "id": expected int32, got "x"', null, null],
    ['{ id: 2n, city: "b" }', 'column "id": expected int32, got 2n', null, null],
    ['{ id: 8, city: "d" }', 'insert is for inputs without a key, and k has one: upsert and delete', null, null],
    ['{ id: 9, city: 9 }', 'column "city": expected text, got 9', 'k.jsonl', 'line 42 of content 2'],
    ['{"id": \ufffd', 'no JSON', 'k.jsonl', '17'],
  ])
  expect(k.filter(([row]) => row.startsWith('xx')).map(([row, ...rest]) => [row.length, ...rest])).toEqual([
    [2000, 'long', 'k.jsonl', '18'],
  ])
  expect(threads.askStats().reduce((n, { dataflows }) => n + dataflows[0].errors, 0)).toBe(13)
  expect(threads.failed).toEqual([])
})

test('a wrong row late in a long run of a stream, whose readers count on rows never going away', () => {
  const j = job('j', { s: stream({ k: int32, v: int32 }) }, ({ s }) => ({
    best: s.groupBy('k').aggregate((row) => ({ most: max(row.v), least: min(row.v), n: count() })),
  }))
  const threads = started(j)
  const rows = Array.from({ length: 9000 }, (_, v) => ({ k: v === 8999 ? 2 : 1, v: v === 6500 ? 'x' : v }))
  threads.feed(1, 's', [{ op: 'insert', rows }])
  tick(threads, 1)
  expect(sum(threads.read(1, 'best', 1))).toEqual({
    '{"k":1,"most":8998,"least":0,"n":"8998n"}': 1,
    '{"k":2,"most":8999,"least":8999,"n":"1n"}': 1,
  })
  expect(threads.read(1, 'best', 1, { errors: true }).rows.map(({ row }) => row['row'])).toEqual(['{ k: 1, v: "x" }'])
})

test('an error that one thread made and another took back sums up to nothing', () => {
  const j = job('j', { t: table({ id: int32 }) }, ({ t }) => ({
    bad: t.map({ id: int32 }, ({ id }) => {
      if (id > 9) throw new Error('too many')
      return { id }
    }),
  }))
  const threads = started(j)
  threads.feed(1, 't', [{ op: 'insert', rows: [{ id: 10 }, { id: 11 }] }], 0)
  tick(threads, 1)
  threads.feed(1, 't', [{ op: 'remove', rows: [{ id: 10 }] }], 1)
  tick(threads, 2)
  const answer = threads.read(1, 'bad', 2, { errors: true })
  expect(answer.rows.map(({ diff }) => diff).sort()).toEqual([-1, 1, 1])
  expect(Object.entries(sum(answer)).map(([row, n]) => [JSON.parse(row).row, n])).toEqual([['{ id: 11 }', 1]])
  expect(threads.askStats().reduce((n, { dataflows }) => n + dataflows[0].errors, 0)).toBe(1)
})

test('reads: by key, in order from somewhere on, as of kept times, and why not', () => {
  const threads = started(cities)
  const upsert = (id: number, city: string): void => threads.feed(1, 'people', [{ op: 'upsert', rows: [{ id, city }] }], 0)
  for (let id = 0; id < 10; id++) upsert(id, ['Rimini', 'Cesena', 'Forli'][id % 3])
  tick(threads, 10)
  upsert(0, 'Cesena')
  threads.advance(1, 20)
  threads.settle()
  threads.show(1, () => 10)
  threads.settle()
  expect(sum(threads.read(1, 'counts', 20, { key: { city: 'Cesena' } }))).toEqual({ '{"city":"Cesena","n":"4n"}': 1 })
  expect(sum(threads.read(1, 'counts', 10, { key: { city: 'Cesena' } }))).toEqual({ '{"city":"Cesena","n":"3n"}': 1 })
  expect(threads.read(1, 'counts', 20, { key: { city: 'Ravenna' } }).rows).toEqual([])
  const page = threads.read(1, 'byCity', 20, { from: { city: 'D' }, limit: 2 }).rows.map(({ row }) => `${row['city']} ${row['id']}`)
  // Two of each thread, each in order.
  expect(page.sort().slice(0, 2)).toEqual(['Forli 2', 'Forli 5'])
  expect(threads.read(1, 'byCity', 20, { limit: 0 }).rows).toEqual([])
  expect(threads.read(1, 'people', 20, { from: { id: 9 } }).rows.map(({ row }) => row)).toEqual([{ id: 9, city: 'Rimini' }])
  const errorsOf = (...query: Parameters<Threads['read']>): readonly string[] => [...new Set(threads.read(...query).errors)]
  expect(errorsOf(1, 'nothing', 20)).toEqual(['UNKNOWN_NAME'])
  expect(errorsOf(2, 'people', 20)).toEqual(['UNKNOWN_NAME'])
  expect(errorsOf(1, 'log', 20)).toEqual(['CONFIG'])
  expect(errorsOf(1, 'far', 20)).toEqual(['CONFIG'])
  expect(errorsOf(1, 'people', 20, { key: { id: 1, city: 'Rimini' } })).toEqual(['NOT_KEYED'])
  expect(errorsOf(1, 'counts', 20, { key: { city: 1 } })).toEqual(['BAD_ROW'])
  expect(errorsOf(1, 'counts', 20, { key: { town: 'Rimini' } })).toEqual(['BAD_ROW'])
  expect(errorsOf(1, 'counts', 20, { from: { n: 1n } })).toEqual(['NOT_KEYED'])
  expect(errorsOf(1, 'counts', 21)).toEqual(['BAD_TIME'])
  expect(errorsOf(1, 'counts', Number.NaN)).toEqual(['BAD_TIME'])
  expect(errorsOf(1, 'counts', -1)).toEqual(['BAD_TIME'])
  upsert(0, 'Rimini')
  tick(threads, 30)
  upsert(0, 'Forli')
  tick(threads, 40)
  expect(errorsOf(1, 'counts', 10)).toContain('BAD_TIME')
  expect(errorsOf(1, 'counts', 40)).toEqual([])
  expect(threads.read(1, 'log', 40, { errors: true })).toMatchObject({ rows: [], errors: [] })
})

test('followers: what is known as of a time, what is not, and no more after the last word', () => {
  const threads = started(cities)
  const upsert = (id: number, city: string): void => threads.feed(1, 'people', [{ op: 'upsert', rows: [{ id, city }] }], 0)
  const early = threads.follow(1, 'log', 0)
  const far = threads.follow(1, 'far', 0)
  upsert(1, 'a')
  tick(threads, 10)
  tick(threads, 15)
  const second = threads.follow(1, 'log', 10)
  const late = threads.follow(1, 'log', 9)
  const future = threads.follow(1, 'people', 25)
  const gone = threads.follow(1, 'people', 3)
  upsert(1, 'b')
  tick(threads, 20)
  threads.unfollow(early.request)
  threads.unfollow(second.request)
  threads.unfollow(second.request)
  upsert(1, 'c')
  tick(threads, 30)
  const after = threads.follow(1, 'log', 25)
  const again = threads.follow(1, 'log', 30)
  upsert(1, 'd')
  tick(threads, 40)
  const heard = (one: typeof early): unknown => [[...one.heard.changes.keys()], [...new Set(one.heard.errors)], one.heard.acknowledged.size]
  expect(heard(early)).toEqual([[10, 20], [], 2])
  expect(heard(far)).toEqual([[], ['CONFIG'], 2])
  expect(heard(second)).toEqual([[20], [], 2])
  // Which thread has told what to whom, the row decides.
  expect((heard(late) as unknown[])[1]).toEqual(['BAD_TIME'])
  expect(heard(future)).toEqual([[30, 40], [], 2])
  expect((heard(gone) as unknown[])[1]).toEqual(['BAD_TIME'])
  expect((heard(after) as unknown[])[1]).toEqual(['BAD_TIME'])
  expect(heard(again)).toEqual([[40], [], 2])
  expect(plain(again.heard.upTo(99))).toEqual({ '{"id":1,"city":"c"}': -1, '{"id":1,"city":"d"}': 1 })
})

test('dataflows come and go while another runs, and nothing of one that is gone is answered', () => {
  const threads = started(cities)
  threads.feed(1, 'people', [{ op: 'upsert', rows: [{ id: 1, city: 'a' }] }])
  threads.advance(1, 10)
  threads.act()
  const other = job('other', { t: table({ a: int32, b: int32 }) }, ({ t }) => ({
    sums: t
      .groupBy('a')
      .aggregate(() => ({ n: count() }))
      .keyBy('a'),
  }))
  threads.install(2, other as never, 100)
  const followed = threads.follow(2, 'sums', 100)
  threads.feed(2, 't', [
    {
      op: 'insert',
      rows: [
        { a: 1, b: 2 },
        { a: 1, b: 3 },
      ],
    },
  ])
  threads.advance(2, 105)
  for (let i = 0; i < 6; i++) threads.act()
  threads.drop(1)
  threads.feed(1, 'people', [{ op: 'upsert', rows: [{ id: 1, city: 'a' }] }])
  threads.all({ kind: 'advance', dataflow: 1, time: 11 })
  threads.all({ kind: 'visible', dataflow: 1, time: 10, compactTo: 10 })
  threads.all({ kind: 'drop', dataflow: 99 })
  tick(threads, 110, 2)
  threads.install(3, cities as never)
  tick(threads, 1, 3)
  expect(threads.broken).toEqual([])
  expect(plain(followed.heard.upTo(110))).toEqual({ '{"a":1,"n":"2n"}': 1 })
  expect([...new Set(threads.read(1, 'people', 10).errors)]).toEqual(['UNKNOWN_NAME'])
  threads.all({ kind: 'read', request: 77, dataflow: 2, output: 'sums', errors: false, asOf: 110, key: null, from: null, limit: 9 })
  threads.drop(2)
  threads.settle()
  expect(threads.askStats().map(({ dataflows }) => dataflows.map(({ dataflow }) => dataflow))).toEqual([[3], [3]])
  expect(threads.installed.slice(0, 1).map(({ event }) => event.outputs)).toEqual([
    [
      { name: 'people', columns: ['id', 'city'], types: ['int32', 'text'], key: null, kept: true, sharded: false },
      { name: 'byCity', columns: ['id', 'city'], types: ['int32', 'text'], key: ['city'], kept: true, sharded: true },
      { name: 'counts', columns: ['city', 'n'], types: ['text', 'int64'], key: ['city'], kept: true, sharded: true },
      { name: 'log', columns: ['id', 'city'], types: ['int32', 'text'], key: null, kept: false, sharded: false },
      { name: 'far', columns: ['id', 'city'], types: ['int32', 'text'], key: null, kept: false, sharded: false },
    ],
  ])
})

test('a dataflow whose operator throws fails alone; a broken invariant ends the thread', () => {
  const product = job('product', { a: table({ k: int32 }), b: table({ k: int32 }) }, ({ a, b }) => ({ c: a.join(b, 'k').consolidate() }))
  const threads = started(product)
  threads.install(2, cities as never)
  const many = Array.from({ length: 50_000 }, () => ({ k: 1 }))
  for (const input of ['a', 'b']) threads.feed(1, input, [{ op: 'insert', rows: many }], 0)
  threads.advance(1, 1)
  threads.feed(2, 'people', [{ op: 'upsert', rows: [{ id: 1, city: 'a' }] }])
  tick(threads, 1, 2)
  expect(threads.failed.map(({ dataflow, code }) => [dataflow, code])).toEqual([[1, 'OVERFLOW']])
  expect(threads.broken).toEqual([])
  expect(sum(threads.read(2, 'people', 1))).toEqual({ '{"id":1,"city":"a"}': 1 })
  threads.drop(1)
  tick(threads, 2, 2)
  // An input that the job does not have is a mistake of whoever feeds; the dataflow cannot be right any more.
  threads.feed(2, 'nobody', [], 1)
  threads.settle()
  expect(threads.failed.slice(1).map(({ thread, dataflow, code }) => [thread, dataflow, code])).toEqual([[1, 2, 'UNKNOWN_NAME']])
  threads.send(0, { kind: 'advance', dataflow: 2, time: 1 })
  threads.settle()
  expect(threads.broken).toHaveLength(1)
  expect(threads.broken[0]).toContain('invariant broken: time 1 is minted after 2')
  threads.send(0, { kind: 'ask-stats' })
  threads.settle()
  expect(threads.stats).toEqual([])
})

test('bytes of another worker: of another generation, changed on the way, or of somebody else', () => {
  const take = (bytes: Uint8Array, threadCount = 1): Threads => {
    const threads = new Threads(1, new JobTable(), () => 0)
    const owners = [...ShardTable.even(3, 2).owners]
    threads.send(0, { kind: 'configure', generation: 3, index: 0, workers: 2, owners, protocol: 2, first: 0, threads: threadCount })
    threads.settle()
    threads.threads[0].service.takePeer(1, bytes)
    threads.settle()
    return threads
  }
  const encode = (generation: number, from: number, checked = true): Uint8Array =>
    new WireEncoder(checked).encode({ kind: 'progress', generation, dataflow: 1, from, changes: new Float64Array() }).slice()
  const changed = encode(3, 1)
  changed[20] ^= 4
  for (const bytes of [encode(3, 1), encode(2, 1), encode(4, 1)]) {
    const { damaged, broken } = take(bytes)
    expect([damaged, broken]).toEqual([[], []])
  }
  const wrong: readonly (readonly [Uint8Array, string])[] = [
    [encode(3, 0), 'a message of worker 0 came from worker 1'],
    [changed, 'checksum'],
    [encode(3, 1, false), 'checksum'],
    [Uint8Array.of(1, 2, 3), '3 bytes'],
  ]
  for (const [bytes, what] of wrong) {
    const threads = take(bytes)
    expect(threads.damaged).toEqual([{ from: 1, message: expect.stringContaining(what) }])
    expect(threads.broken).toEqual([])
    // Nothing is computed in this generation any more, and nothing is taken.
    const [{ service }] = threads.threads
    expect([service.idle, service.wantsFeed]).toEqual([true, false])
    service.takePeer(1, bytes)
    expect(threads.damaged).toHaveLength(1)
    threads.configure(4, 1)
    threads.install(1, cities as never)
    threads.settle()
    tick(threads, 1)
  }
  // Of a thread of the same process, through shared memory: then this process is not to be trusted.
  expect(take(Uint8Array.of(1, 2, 3), 2).broken).toHaveLength(1)
})

test('a frame that refers to a string that never came damages the generation, and says whose it was', () => {
  const random = new SeededRandom(5)
  const threads = new Threads(2, new JobTable(), (bound) => random.below(bound), 1)
  threads.configure(1, 2)
  threads.install(1, cities as never)
  threads.settle()
  const write = (time: number, ids: readonly number[]): void => {
    threads.feed(1, 'people', [{ op: 'upsert', rows: ids.map((id) => ({ id, city: 'Rimini' })) }], 0)
    threads.advance(1, time)
  }
  write(1, [1, 2, 3, 4, 5, 6])
  // The first message of worker 0 is lost.
  while (threads.links[0][1].length === 0)
    threads.threads[0].commands.length > 0
      ? threads.threads[0].service.handle(threads.threads[0].commands.shift() as ThreadCommand)
      : threads.threads[0].service.step()
  threads.links[0][1].length = 0
  write(2, [7, 8, 9, 10, 11, 12, 13])
  threads.settle()
  expect(threads.damaged).toEqual([{ from: 0, message: expect.stringContaining('never told') }])
  expect(threads.broken).toEqual([])
  expect(threads.completeAt(1)).toBe(0)
})

test('a job that cannot be loaded or built fails, and the next one is installed', () => {
  const threads = started(cities)
  threads.all({ kind: 'install', dataflow: 5, name: 'x', since: 0, digest: 'unknown', code: '' })
  threads.settle()
  expect(threads.failed.map(({ dataflow, code, message }) => [dataflow, code, message])).toEqual([
    [5, 'JOB', 'Error: no job unknown'],
    [5, 'JOB', 'Error: no job unknown'],
  ])
  threads.install(6, cities as never)
  tick(threads, 1, 6)
})

test('nothing runs before all have installed it', () => {
  const random = new SeededRandom(3)
  const loader = new JobTable()
  loader.jobs.set('cities', cities as never)
  const threads = new Threads(2, loader, (bound) => random.below(bound))
  threads.configure(1, 2)
  threads.flows.set(1, { since: 0, minted: 5, visible: 0 })
  threads.all({ kind: 'install', dataflow: 1, name: 'cities', since: 0, digest: 'cities', code: '' })
  threads.all({ kind: 'advance', dataflow: 1, time: 5 })
  threads.send(0, { kind: 'start', dataflow: 1, times: [] })
  threads.settle()
  expect(threads.completeAt(1)).toBe(0)
  threads.send(1, { kind: 'start', dataflow: 1, times: [] })
  threads.settle()
  expect(threads.completeAt(1)).toBe(5)
})

test('statistics say who holds a time back', () => {
  const threads = started(cities)
  threads.feed(1, 'people', [{ op: 'upsert', rows: [{ id: 1, city: 'a' }] }], 0)
  tick(threads, 1)
  expect(threads.askStats().map(({ dataflows: [{ complete, holder }] }) => [complete, holder])).toEqual([
    [1, null],
    [1, null],
  ])
  // Only one of the threads is told of the time: it waits for what the other one may still send.
  threads.send(0, { kind: 'advance', dataflow: 1, time: 9 })
  threads.settle()
  const [first, second] = [...threads.askStats()].sort((a, b) => a.worker - b.worker)
  expect([first.dataflows[0].complete, first.dataflows[0].holder]).toEqual([1, expect.stringMatching(/^exchanged#\d+$/)])
  expect(second.dataflows[0]).toMatchObject({ complete: 1, holder: null })
  expect(first.dataflows[0].rows + second.dataflows[0].rows).toBeGreaterThan(0)
  expect(first.dataflows[0].stateBytes).toBeGreaterThan(0)
  expect([first.busy, first.heapBytes, first.outboundBytes, first.inboundMessages]).toEqual([0.5, 1, 0, 0])
})

test('a dataflow that is behind takes so many rows and no more, until it has caught up', () => {
  const threads = started(job('j', { t: table({ id: int32 }) }, ({ t }) => ({ t })) as never)
  const [first] = threads.threads
  const rows = Array.from({ length: 70_000 }, (_, id) => ({ id }))
  const feed: Feed = { kind: 'feed', dataflow: 1, input: 't', partition: 0, runs: [{ op: 'insert', rows }] }
  // All minted times are complete: rows must be taken, since the time that they wait for is behind them.
  for (let i = 0; i < 5; i++) first.service.handle(feed)
  expect(first.service.wantsFeed).toBe(true)
  threads.send(0, { kind: 'advance', dataflow: 1, time: 1 })
  threads.settle()
  for (let i = 0; i < 4; i++) {
    expect(first.service.wantsFeed).toBe(true)
    first.service.handle(feed)
  }
  expect(first.service.wantsFeed).toBe(false)
  threads.send(1, { kind: 'advance', dataflow: 1, time: 1 })
  threads.settle()
  expect(first.service.wantsFeed).toBe(true)
})

// With a step of one activation the dataflow never comes to rest by itself.
test.each([1, 40])('texts and keys that nobody has any more are forgotten, with %i activations a step', (activations) => {
  const threads = started(cities, 1)
  const [{ service }] = threads.threads
  const { worker } = (service as unknown as { seat: { worker: { dictionary: { live: number } } } }).seat
  const times = 12_000
  let most = 0
  for (let time = 1; time <= times; time++) {
    const rows = Array.from({ length: 16 }, (_, id) => ({ id, city: `city ${time} ${id}` }))
    service.handle({ kind: 'feed', dataflow: 1, input: 'people', partition: 0, runs: [{ op: 'upsert', rows }] })
    service.handle({ kind: 'advance', dataflow: 1, time })
    ;(threads.flows.get(1) as { minted: number }).minted = time
    const visible = threads.completeAt(1)
    service.handle({ kind: 'visible', dataflow: 1, time: visible, compactTo: visible })
    service.step(activations)
    most = Math.max(most, worker.dictionary.live)
  }
  expect(threads.broken).toEqual([])
  expect(most).toBeLessThan(12.5 * times)
})
