/** Where rows go, and that they go in the order of their times, in frames that are neither small nor too large. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Builder } from '../../operators/builder.ts'
import { InputOperator } from '../../operators/input.ts'
import { type Frame, frameRows, MAXIMUM_WIRE_BYTES } from '../../runtime/channel/frame.ts'
import { Partition } from '../../runtime/channel/partition.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { WireEncoder } from '../../runtime/channel/wire.ts'
import { bool, type ColumnType, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { hashKeys, ownersOfRows, VIRTUAL_SHARDS, virtualShard } from '../../runtime/data/key-hash.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
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
          : fc.integer({ min: -5, max: 5 })
    fc.assert(
      fc.property(
        fc.array(fc.oneof(word, type.kind === 'text' ? word : fc.integer()), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (words, workers) => {
          const n = Math.floor(words.length / type.width)
          const column = Int32Array.from(words)
          const { owners } = ShardTable.even(1, workers)
          const hashes = new Uint32Array(n)
          hashKeys([column], [type], n, dictionary, hashes)
          const out = new Int32Array(n)
          ownersOfRows([column], [type], n, dictionary, owners, out)
          expect([...out]).toEqual([...hashes].map((hash) => owners[virtualShard(hash)]))
        },
      ),
    )
  })

  test('of several key columns, and of none', () => {
    const { owners } = ShardTable.even(1, 4)
    const columns = [Int32Array.of(1, 2, 3), Int32Array.of(1, 0, -1, -1, 7, 0)]
    const hashes = new Uint32Array(3)
    const out = new Int32Array(3)
    for (const types of [[int32, int64], []]) {
      hashKeys(columns.slice(0, types.length), types, 3, new Dictionary(), hashes)
      ownersOfRows(columns.slice(0, types.length), types, 3, new Dictionary(), owners, out)
      expect([...out]).toEqual([...hashes].map((hash) => owners[virtualShard(hash)]))
    }
  })
})

test.each([1, 2, 3, 8])('a partition for %i workers has every row once, in order', (workers) => {
  const partition = new Partition(workers)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: workers - 1 }), { minLength: 1, maxLength: 200 }), (owners) => {
      partition.group(Int32Array.from(owners), owners.length)
      for (let w = 0; w < workers; w++) {
        const mine = [...partition.rows.subarray(partition.starts[w], partition.starts[w + 1])]
        expect(mine).toEqual(owners.flatMap((owner, row) => (owner === w ? [row] : [])))
      }
    }),
  )
})

const schema = new Schema({ k: int32, v: int64 })

/** A worker of two, with an input that is exchanged by its first column. */
function sender(): { readonly worker: Worker; readonly input: InputOperator } {
  const worker = new Worker(0, ShardTable.even(1, 2))
  const graph = new Dataflow('test', worker.dictionary)
  let input: InputOperator | null = null
  worker.add(0, graph, () => {
    input = new InputOperator(graph, 'input', schema, new Timeline(() => 0, 0))
    new Builder(graph, []).exchange(streamOf(input, schema), [0])
  })
  return { worker, input: input as unknown as InputOperator }
}

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
  expect(frames).toHaveLength(Math.ceil(sent / frameRows(schema.widths, false)))
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
