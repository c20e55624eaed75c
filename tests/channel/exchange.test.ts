/** Where rows go, and that they go in the order of their times, in frames that are neither small nor too large. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Builder } from '../../operators/builder.ts'
import { InputOperator } from '../../operators/input.ts'
import { ExchangeReceiver } from '../../runtime/channel/exchange-receiver.ts'
import { type Frame, frameRows, MAXIMUM_WIRE_BYTES } from '../../runtime/channel/frame.ts'
import { Partition } from '../../runtime/channel/partition.ts'
import { RowOwners } from '../../runtime/channel/row-owners.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { WireEncoder } from '../../runtime/channel/wire.ts'
import type { Batch } from '../../runtime/data/batch.ts'
import { bool, type ColumnType, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { hashKeys, VIRTUAL_SHARDS, virtualShard } from '../../runtime/data/key-hash.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { Worker } from '../../worker/worker.ts'

describe('owners', () => {
  const types: readonly [string, ColumnType][] = [
    ['int32', int32],
    ['int64', int64],
    ['nullable int32', nullable(int32)],
    ['nullable int64', nullable(int64)],
    ['float64', float64],
    ['timestamp', timestamp],
    ['bool', bool],
    ['text', text],
  ]
  test.each(types)('of %s keys are those of their hashes', (_, type) => {
    const dictionary = new Dictionary()
    for (const word of ['a', 'b', 'a longer one, not packed', 'ü']) dictionary.intern(word)
    const word =
      type.kind === 'text'
        ? fc.integer({ min: 0, max: 4 })
        : type.kind === 'bool'
          ? fc.constantFrom(0, 1, 2)
          : fc.oneof(fc.integer({ min: -5, max: 5 }), fc.integer({ min: 65_500, max: 65_600 }), fc.integer({ min: 0, max: 5_000_000 }))
    const batch = fc.array(fc.oneof(word, type.kind === 'text' ? word : fc.integer()), { maxLength: 60 })
    fc.assert(
      fc.property(
        fc.array(batch, { maxLength: 4 }),
        fc.constantFrom(1, 2, 3, 9, 300),
        fc.integer({ min: 0, max: 3 }),
        (batches, workers, from) => {
          const shards = ShardTable.even(1, workers)
          const rowOwners = new RowOwners(shards, dictionary)
          for (const words of batches) {
            const n = Math.floor(words.length / type.width)
            const column = Int32Array.from(words)
            const hashes = new Uint32Array(n)
            hashKeys([column], [type], n, dictionary, hashes)
            const out = new Int32Array(n)
            rowOwners.find([column], [type], Math.min(from, n), n, out)
            const expected = [...hashes].map((hash) => shards.owners[virtualShard(hash)]).slice(from)
            expect([...out.subarray(0, expected.length)]).toEqual(expected)
          }
        },
      ),
    )
  })

  test('of several key columns, and of none', () => {
    const shards = ShardTable.even(1, 4)
    const columns = [Int32Array.of(1, 2, 3), Int32Array.of(1, 0, -1, -1, 7, 0)]
    const hashes = new Uint32Array(3)
    const out = new Int32Array(2)
    for (const types of [[int32, int64], []]) {
      hashKeys(columns.slice(0, types.length), types, 3, new Dictionary(), hashes)
      new RowOwners(shards, new Dictionary()).find(columns.slice(0, types.length), types, 1, 3, out)
      expect([...out]).toEqual([...hashes].slice(1).map((hash) => shards.owners[virtualShard(hash)]))
    }
  })

  test('of texts follow ids that are used again', () => {
    const shards = ShardTable.even(1, 8)
    const dictionary = new Dictionary()
    const rowOwners = new RowOwners(shards, dictionary)
    const found: number[] = []
    for (let word = 0; word < 50; word++) {
      const ids = Int32Array.of(dictionary.intern(`word ${word}`))
      const out = new Int32Array(1)
      rowOwners.find([ids], [text], 0, 1, out)
      found.push(out[0])
      dictionary.beginMark()
      dictionary.sweep()
    }
    expect(found).toEqual(found.map((_, word) => shards.owners[virtualShard(hashOf(`word ${word}`))]))
  })
})

function hashOf(word: string): number {
  const dictionary = new Dictionary()
  const out = new Uint32Array(1)
  hashKeys([Int32Array.of(dictionary.intern(word))], [text], 1, dictionary, out)
  return out[0]
}

test.each([1, 2, 3, 8])('a partition for %i workers has every row once, in order', (workers) => {
  const partition = new Partition(workers, 200)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: workers - 1 }), { minLength: 1, maxLength: 200 }), (owners) => {
      const sum = owners.reduce((a, b) => a + b, 0)
      partition.group(Int32Array.from(owners), owners.length, 1000, sum)
      for (let w = 0; w < workers; w++) {
        const first = partition.firsts[w]
        const mine = [...partition.lists[w].subarray(first, first + partition.counts[w])]
        expect(mine).toEqual(owners.flatMap((owner, row) => (owner === w ? [1000 + row] : [])))
      }
    }),
  )
})

/** Rows as text, with their differences. */
function addRows(sum: Map<string, number>, batch: Batch): void {
  expect(batch.differences.subarray(0, batch.n).includes(0)).toBe(false)
  for (let i = 0; i < batch.n; i++) {
    const words = batch.columns.flatMap((column, c) => [...column.subarray(batch.widths[c] * i, batch.widths[c] * (i + 1))])
    const row = `${batch.time}: ${words.join()}`
    sum.set(row, (sum.get(row) ?? 0) + batch.differences[i])
  }
}

describe('every row reaches its owner, with its difference', () => {
  const schemas: readonly [string, Schema][] = [
    ['one word', new Schema({ k: int32 })],
    ['two words', new Schema({ k: int64 })],
    ['three words', new Schema({ k: nullable(int64) })],
    ['several columns', new Schema({ v: nullable(int64), k: int32, w: bool, x: int64 })],
  ]
  const rows = fc.array(fc.record({ k: fc.integer({ min: -4, max: 40 }), diff: fc.constantFrom(1, 1, -1, 2, 0x7fffffff) }), {
    maxLength: 80,
  })
  for (const [name, rowSchema] of schemas)
    test.each([2, 3, 5])(`${name} on %i workers`, (workers) => {
      const long = rowSchema.types[rowSchema.indexOf('k')].kind === 'int64'
      fc.assert(
        fc.property(fc.array(rows, { maxLength: 4 }), fc.integer({ min: 1, max: 60 }), (commits, repeat) => {
          const { worker, input, receiver } = sender(rowSchema, workers)
          const fed = new Map<string, number>()
          commits.forEach((changes, i) => {
            const time = i + 1
            for (const { k, diff } of changes)
              for (let copy = 0; copy < (changes.length > 40 ? repeat : 1); copy++) {
                const key = 7 * k + (copy % 5)
                input.changeRows([{ k: long ? BigInt(key) : key, v: null, w: true, x: BigInt(key) << 33n }], diff)
              }
            input.seal(time)
          })
          const [port] = input.readers
          for (let b = 0; b < port.length; b++) addRows(fed, port.at(b) as Batch)
          const arrived = new Map<string, number>()
          const { owners } = worker
          const take = (to: number, batch: Batch): void => {
            const out = new Int32Array(batch.n)
            const key = rowSchema.indexOf('k')
            owners.find([batch.columns[key]], [rowSchema.types[key]], 0, batch.n, out)
            expect(new Set(out)).toEqual(new Set([to]))
            addRows(arrived, batch)
          }
          for (let turn = 0; turn < 3; turn++)
            for (const { to, message } of worker.step([])) if (message.kind === 'frame') take(to, message.batch)
          for (const batch of receiver.waiting) take(0, batch)
          const nonZero = (sum: Map<string, number>): unknown => [...sum].filter(([, diff]) => diff !== 0).sort()
          expect(nonZero(arrived)).toEqual(nonZero(fed))
        }),
      )
    })
})

const schema = new Schema({ k: int32, v: int64 })

/** The first of several workers, with an input that is exchanged by its column `k`. */
function sender(of = schema, workers = 2): { readonly worker: Worker; readonly input: InputOperator; readonly receiver: ExchangeReceiver } {
  const worker = new Worker(0, ShardTable.even(1, workers))
  const graph = new Dataflow('test', worker.dictionary)
  let input: InputOperator | null = null
  worker.add(0, graph, () => {
    input = new InputOperator(graph, 'input', of)
    new Builder(graph, []).exchange(streamOf(input, of), [of.indexOf('k')])
  })
  const receiver = graph.operators.find((operator) => operator instanceof ExchangeReceiver) as ExchangeReceiver
  return { worker, input: input as unknown as InputOperator, receiver }
}

test.each([2, 3])('many different keys without other columns reach their owners among %i workers', (workers) => {
  const keys = new Schema({ k: int32 })
  const { worker, input, receiver } = sender(keys, workers)
  const all = Array.from({ length: 60_000 }, (_, i) => (i < 50_000 ? 2 * i + 1 : i % 3 === 0 ? -i : 3_000_000 + i))
  const sent: Frame[] = []
  for (let from = 0; from < all.length; from += 5000) {
    input.changeRows(
      all.slice(from, from + 5000).map((k) => ({ k })),
      from % 20_000 === 0 ? -1 : 1,
    )
    input.seal(from + 1)
    sent.push(...worker.step([]).flatMap(({ to, message }) => (message.kind === 'frame' ? [{ ...message, to }] : [])))
  }
  const arrived = new Map<string, number>()
  for (const { batch } of sent) addRows(arrived, batch)
  const others = [...arrived.keys()]
  for (const batch of receiver.waiting) addRows(arrived, batch)
  all.forEach((k, i) => {
    const row = `${5000 * Math.floor(i / 5000) + 1}: ${k}`
    if (arrived.get(row) !== (i % 20_000 < 5000 ? -1 : 1)) throw new Error(`row ${row} arrived ${arrived.get(row)} times`)
  })
  expect(arrived.size).toBe(all.length)
  const out = new Int32Array(1)
  for (const row of others) {
    worker.owners.find([Int32Array.of(Number(row.split(': ')[1]))], [int32], 0, 1, out)
    if (out[0] === 0) throw new Error(`${row} was sent to another worker`)
  }
})

function feed(input: InputOperator, from: number, n: number): void {
  input.changeRows(
    Array.from({ length: n }, (_, i) => ({ k: from + i, v: BigInt(i) })),
    1,
  )
}

function framesOf(worker: Worker): Frame[] {
  return worker.step([]).flatMap(({ message }) => (message.kind === 'frame' ? [message] : []))
}

test('all rows of a small round go in one frame, at once', () => {
  const { worker, input } = sender()
  feed(input, 0, 10)
  input.seal(1)
  const frames = framesOf(worker)
  expect(frames).toHaveLength(1)
  expect(frames[0].batch.n).toBeGreaterThan(1)
  expect(frames[0].batch.n).toBeLessThan(10)
})

test('rows of several times go in several frames, in the order of the times', () => {
  const { worker, input } = sender()
  for (let time = 1; time <= 3; time++) {
    feed(input, 0, 10)
    input.seal(time)
  }
  const frames = framesOf(worker)
  expect(frames.map(({ time }) => time)).toEqual([1, 2, 3])
  expect(frames.map(({ batch }) => batch.time)).toEqual([1, 2, 3])
  expect(new Set(frames.map(({ batch }) => batch.n)).size).toBe(1)
})

test('large rounds make few frames, none longer than a message may be', () => {
  const { worker, input } = sender()
  const rows = 100_000
  feed(input, 0, rows)
  input.seal(1)
  const frames = framesOf(worker)
  const sent = frames.reduce((sum, { batch }) => sum + batch.n, 0)
  expect(sent).toBeGreaterThan(0.45 * rows)
  expect(frames.length).toBeLessThanOrEqual(Math.ceil(sent / (0.5 * frameRows(schema.widths, false))))
  const encoder = new WireEncoder(true)
  for (const frame of frames) expect(encoder.measure(frame)).toBeLessThanOrEqual(MAXIMUM_WIRE_BYTES)
})

test('the most rows of a frame fit into a message, however wide they are', () => {
  for (const columns of [0, 1, 5, 50, 1000, 10_000]) {
    const widths = Array.from({ length: columns }, () => 3)
    const bytes = frameRows(widths, false) * (4 + 12 * columns) + 8 * columns + columns + 128
    if (frameRows(widths, false) > 1) expect(bytes).toBeLessThanOrEqual(MAXIMUM_WIRE_BYTES)
  }
  expect(VIRTUAL_SHARDS).toBe(1024)
})
