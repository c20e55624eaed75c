/** Arrangements inside a loop under random cuts (of the latest outer time or an earlier one), crashes, evictions and holds. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { GeneralArrangeOperator } from '../../operators/general-arrange.ts'
import { GeneralJoinOperator } from '../../operators/general-join.ts'
import { InputOperator } from '../../operators/input.ts'
import { entered } from '../../operators/loop-border.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import { int32, int64, nullable, text } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { rowCodec } from '../../runtime/data/row-codec.ts'
import { type Columns, Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../../runtime/graph/operator.ts'
import { Region, type RegionHold } from '../../runtime/graph/region.ts'
import { type Stream, streamOf } from '../../runtime/graph/stream.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { MemoryBlockStore } from '../../runtime/trace/block-store.ts'
import { GeneralCheckpoint } from '../../runtime/trace/general-checkpoint.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'

const inner = { i1: int32, i2: int32 }
const shapes = {
  narrow: { k: int32, v: int32 },
  wide: { k: nullable(text), s: text, x: int64 },
} satisfies Record<string, Columns>
type Row = Record<string, unknown>
interface Change {
  readonly row: Row
  readonly at: readonly [number, number]
  readonly diff: number
}
interface Entry extends Change {
  readonly outer: number
}

/** Moves each row to the loop coordinates that its last two columns say. */
class Scatter extends Operator {
  private readonly port: Port
  private readonly region: Region
  private readonly pool: BatchPool

  constructor(stream: Stream, schema: Schema) {
    super(stream.operator.dataflow, 'scatter')
    this.region = stream.region as Region
    this.pool = new BatchPool(schema.widths)
    this.port = this.listen(stream.operator)
  }

  step(): void {
    for (let batch = this.port.pop(); batch !== null; batch = this.port.pop()) {
      const out = this.pool.take(0, batch.n)
      const times = out.useTimes()
      const { columns } = batch
      for (let c = 0; c < out.columns.length; c++) out.columns[c].set(columns[c].subarray(0, batch.n * out.widths[c]))
      out.differences.set(batch.differences.subarray(0, batch.n))
      const outer = this.region.times.outer(batch.time)
      for (let i = 0; i < batch.n; i++)
        times[i] = this.region.times.intern2(outer, columns[columns.length - 2][i], columns[columns.length - 1][i])
      out.n = batch.n
      batch.release()
      this.send(out)
    }
  }
}

class Loop {
  readonly graph = new Dataflow('test', new Dictionary())
  readonly region = new Region(this.graph)
  readonly input: InputOperator
  readonly arrangement: GeneralArrangeOperator
  readonly stream: Stream
  readonly checkpoint: GeneralCheckpoint
  readonly schema: Schema

  constructor(columns: Columns, store: MemoryBlockStore, keys?: KeyTable, name = 'test') {
    this.schema = new Schema(columns)
    const schema = new Schema({ ...columns, ...inner })
    this.input = new InputOperator(this.graph, 'in', schema, new Timeline(() => 0, 0))
    const outside = entered(streamOf(this.input, schema), this.region)
    const deeper = entered(outside, this.region)
    this.stream = streamOf(new Scatter(deeper, this.schema), this.schema, this.region, 2)
    const key = this.schema.types[0]
    this.arrangement = new GeneralArrangeOperator(this.stream, [0], [key], keys ?? this.graph.keyTable([key]))
    const types = { keys: [key], values: this.arrangement.valueColumns.map((c) => this.schema.types[c]) }
    this.checkpoint = new GeneralCheckpoint(this.arrangement.trace, this.region, 2, store, name, types, this.graph.dictionary)
  }

  commit(changes: readonly Change[], time: number): void {
    for (const { row, at, diff } of changes) this.input.changeRows([{ ...row, i1: at[0], i2: at[1] }], diff)
    this.input.seal(time)
    this.graph.run()
  }

  /** What the traces hold of outer times up to `outer`: sums by row and loop coordinates. */
  content(outer = Number.MAX_SAFE_INTEGER): Record<string, number> {
    const { trace, keys, valueColumns } = this.arrangement
    const { times } = this.region
    trace.load(
      Int32Array.from({ length: keys.capacity }, (_, key) => key),
      keys.capacity,
    )
    const batch = new BatchPool(this.schema.widths).take(0, 1)
    const codec = rowCodec(this.schema)
    const found: [string, number][] = []
    trace.forEach((key, value, time, difference) => {
      if (times.outer(time) > outer) return
      keys.writeKeys(Int32Array.of(key), 1, [batch.columns[0]], 0)
      if (trace.rows === null) batch.columns[valueColumns[0]][0] = value
      else {
        let word = value * trace.rows.stride + trace.rows.offset
        for (const c of valueColumns) for (let w = 0; w < batch.widths[c]; w++) batch.columns[c][w] = trace.rows.arena[word++]
      }
      const row = codec.readRow(batch, 0, this.graph.dictionary)
      found.push([name(row as Row, [times.coordinate(time, 1), times.coordinate(time, 2)]), difference])
    })
    return sums(found)
  }
}

function name(row: Row, at: readonly [number, number]): string {
  return `${Object.values(row).map(String).join()}@${at.join()}`
}

function sums(entries: Iterable<readonly [string, number]>): Record<string, number> {
  const map = new Map<string, number>()
  for (const [row, diff] of entries) map.set(row, (map.get(row) ?? 0) + diff)
  return Object.fromEntries([...map].filter(([, sum]) => sum !== 0).sort())
}

const expected = (entries: readonly Entry[], outer: number) =>
  sums(entries.filter((entry) => entry.outer <= outer).map(({ row, at, diff }) => [name(row, at), diff]))

type Action =
  | { kind: 'change'; changes: Change[] }
  | { kind: 'cut'; back: number }
  | { kind: 'crash' | 'hold' | 'release' }
  | { kind: 'evict'; seed: number }

function scripts(row: fc.Arbitrary<Row>): fc.Arbitrary<Action[]> {
  const change = fc.record({ row, at: fc.tuple(fc.nat(2), fc.nat(1)), diff: fc.constantFrom(1, 1, 1, -1, 2) })
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.array(change, { maxLength: 10 }).map((changes): Action => ({ kind: 'change', changes })) },
      { weight: 3, arbitrary: fc.nat(2).map((back): Action => ({ kind: 'cut', back })) },
      { weight: 3, arbitrary: fc.integer().map((seed): Action => ({ kind: 'evict', seed })) },
      { weight: 3, arbitrary: fc.constantFrom<Action>({ kind: 'crash' }, { kind: 'hold' }, { kind: 'release' }) },
    ),
    { maxLength: 40 },
  )
}

const rows = {
  narrow: fc.record({ k: fc.integer({ min: 0, max: 5 }), v: fc.integer({ min: -2, max: 9 }) }),
  wide: fc.record({
    k: fc.constantFrom(null, 'a', 'b', 'a key longer than twelve'),
    s: fc.constantFrom('', 's', 'ü'),
    x: fc.bigInt({ min: -2n, max: 2n }),
  }),
}

function check(columns: Columns, script: readonly Action[]): void {
  const store = new MemoryBlockStore()
  let loop = new Loop(columns, store)
  let entries: Entry[] = []
  let now = 1
  let hold: RegionHold | null = null
  for (const action of script) {
    if (action.kind === 'change') {
      for (const change of action.changes) entries.push({ ...change, outer: now })
      loop.commit(action.changes, now++)
    } else if (action.kind === 'cut') {
      const time = now - 1 - action.back
      if (time > loop.checkpoint.stored && time >= 1) loop.checkpoint.cut(time)
    } else if (action.kind === 'crash') {
      loop = new Loop(columns, store)
      loop.checkpoint.restore()
      hold = null
      const { stored } = loop.checkpoint
      entries = entries.filter(({ outer }) => outer <= stored)
      now = Math.max(stored, 0) + 1
      expect(loop.content()).toEqual(expected(entries, stored))
    } else if (action.kind === 'evict') {
      const all = Array.from({ length: loop.arrangement.keys.capacity }, (_, key) => key)
      loop.checkpoint.evict(all.filter((key) => ((key * 7 + action.seed) & 3) !== 0))
    } else if (action.kind === 'hold' && hold === null && now > 1) {
      hold = loop.region.holdAt(now - 1)
    } else if (action.kind === 'release' && hold !== null) {
      expect(loop.content(hold.time)).toEqual(expected(entries, hold.time))
      hold.release()
      hold = null
    }
  }
  expect(loop.content()).toEqual(expected(entries, now))
}

test.each([false, true])('one-word values; hashed keys: %s', (hashed) => {
  KeyTable.forceHash = hashed
  try {
    fc.assert(
      fc.property(scripts(rows.narrow), (script) => check(shapes.narrow, script)),
      { numRuns: 400 },
    )
  } finally {
    KeyTable.forceHash = false
  }
})

test('wide values', () => {
  fc.assert(
    fc.property(scripts(rows.wide), (script) => check(shapes.wide, script)),
    { numRuns: 400 },
  )
})

test('restoring parts by virtual shard gives the whole, each row once', () => {
  const store = new MemoryBlockStore()
  const loop = new Loop(shapes.narrow, store)
  loop.commit(
    Array.from({ length: 500 }, (_, k) => ({ row: { k, v: k }, at: [k % 3, k % 2] as const, diff: 1 })),
    1,
  )
  loop.checkpoint.cut(1)
  const parts = [0, 1, 2].map((part) => {
    const other = new Loop(shapes.narrow, store)
    other.checkpoint.restore((shard) => shard % 3 === part)
    return other.content()
  })
  expect(sums(parts.flatMap((part) => Object.entries(part)))).toEqual(loop.content())
  expect(parts.map((part) => Object.keys(part).length).reduce((a, b) => a + b)).toBe(500)
})

test('a join finds what was evicted', () => {
  const loop = new Loop(shapes.narrow, new MemoryBlockStore())
  const right = new GeneralArrangeOperator(loop.stream, [1], [int32], loop.arrangement.keys)
  const joined: number[] = []
  class Count extends Operator {
    private readonly port = this.listen(join)
    step(): void {
      for (let batch = this.port.pop(); batch !== null; batch = this.port.pop()) {
        for (let i = 0; i < batch.n; i++) joined.push(batch.differences[i])
        batch.release()
      }
    }
  }
  const join = new GeneralJoinOperator(loop.arrangement, right, new Schema({}), [])
  new Count(loop.graph, 'count')
  loop.commit([{ row: { k: 7, v: 100 }, at: [0, 0], diff: 1 }], 1)
  loop.checkpoint.cut(1)
  expect(loop.checkpoint.evict(Array.from({ length: loop.arrangement.keys.capacity }, (_, key) => key))).toBe(1)
  loop.commit([{ row: { k: 8, v: 7 }, at: [1, 0], diff: 1 }], 2)
  expect(joined).toEqual([1])
})

test('a key that changes after it was evicted is there once', () => {
  const loop = new Loop(shapes.narrow, new MemoryBlockStore())
  const change = (time: number): void => loop.commit([{ row: { k: 1, v: time }, at: [0, 1], diff: 1 }], time)
  change(1)
  loop.checkpoint.cut(1)
  expect(loop.checkpoint.evict([...Array(loop.arrangement.keys.capacity).keys()])).toBe(1)
  change(2)
  loop.checkpoint.cut(2)
  expect(loop.content()).toEqual({ '1,1@0,1': 1, '1,2@0,1': 1 })
})

test('what a hold keeps apart is not evicted', () => {
  const loop = new Loop(shapes.narrow, new MemoryBlockStore())
  loop.commit([], 1)
  const hold = loop.region.holdAt(1)
  loop.commit([{ row: { k: 1, v: 1 }, at: [0, 0], diff: 1 }], 2)
  loop.checkpoint.cut(2)
  expect(loop.checkpoint.evict([...Array(loop.arrangement.keys.capacity).keys()])).toBe(0)
  expect(loop.content(1)).toEqual({})
  hold.release()
  loop.commit([], 3)
  expect(loop.checkpoint.evict([...Array(loop.arrangement.keys.capacity).keys()])).toBe(1)
  expect(loop.content()).toEqual({ '1,1@0,0': 1 })
})

test('a time that is not over cannot be cut, nor one that was', () => {
  const loop = new Loop(shapes.narrow, new MemoryBlockStore())
  loop.commit([{ row: { k: 1, v: 1 }, at: [0, 0], diff: 1 }], 1)
  expect(() => loop.checkpoint.cut(2)).toThrow(/not complete/)
  loop.checkpoint.cut(1)
  expect(() => loop.checkpoint.cut(1)).toThrow(/last cut/)
})
