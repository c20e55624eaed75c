/** Arrangements under random cuts, restores (after a crash, on other shards), evictions and held reads keep their content. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ArrangeOperator } from '../../operators/arrange.ts'
import { InputOperator } from '../../operators/input.ts'
import { float64, int32, int64, nullable, text } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { MemoryBlockStore } from '../../runtime/trace/block-store.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import type { Hold } from '../../runtime/trace/total-trace.ts'
import { TraceCheckpoint } from '../../runtime/trace/trace-checkpoint.ts'

type Row = { k: string | null; x: bigint; s: string; f: number | null }
type Narrow = { k: number; v: number }

const wide = new Schema({ k: nullable(text), x: int64, s: text, f: nullable(float64) })
const narrow = new Schema({ k: int32, v: int32 })

interface Engine {
  input: InputOperator
  arrangement: ArrangeOperator
  graph: Dataflow
  checkpoint: TraceCheckpoint
}

function start(schema: Schema, store: MemoryBlockStore): Engine {
  const graph = new Dataflow('test', new Dictionary())
  const input = new InputOperator(graph, 'in', schema, new Timeline(() => 0, 0))
  const keys = new KeyTable([schema.types[0]])
  const arrangement = new ArrangeOperator(streamOf(input, schema), [0], [schema.types[0]], keys)
  const valueTypes = arrangement.valueColumns.map((column) => schema.types[column])
  const checkpoint = new TraceCheckpoint(
    arrangement.trace,
    store,
    'test',
    { keys: [schema.types[0]], values: valueTypes },
    graph.dictionary,
  )
  return { input, arrangement, graph, checkpoint }
}

/** The content as of a time, as text -> multiplicity. */
function content({ arrangement, graph }: Engine, schema: Schema, time: number): Map<string, number> {
  const rows = new Map<string, number>()
  const { trace, keys } = arrangement
  trace.readAll(time, (key, value, difference) => {
    const words = schema.types.slice(0, 1).map((type) => new Int32Array(type.width))
    keys.writeKeys(Int32Array.of(key), 1, words, 0)
    const parts: string[] = [show(words[0], 0, schema.types[0].kind, graph.dictionary)]
    if (trace.rows === null) parts.push(String(value))
    else {
      let at = value * trace.rows.stride + trace.rows.offset
      for (const column of arrangement.valueColumns) {
        parts.push(show(trace.rows.arena, at, schema.types[column].kind, graph.dictionary))
        at += schema.types[column].width
      }
    }
    rows.set(parts.join(), (rows.get(parts.join()) ?? 0) + difference)
  })
  return new Map([...rows].filter(([, n]) => n !== 0).sort())
}

function show(words: Int32Array, at: number, kind: string, dictionary: Dictionary): string {
  if (kind === 'text') return words[at] === 0 ? 'null' : JSON.stringify(dictionary.get(words[at]))
  return kind === 'int32' ? String(words[at]) : `${words[at]}:${words[at + 1]}`
}

const scratch = new DataView(new ArrayBuffer(8))
function expectedText(row: Row | Narrow): string {
  if ('v' in row) return `${row.k},${row.v}`
  scratch.setBigInt64(0, row.x, true)
  const x = `${scratch.getInt32(0, true)}:${scratch.getInt32(4, true)}`
  if (row.f === null) scratch.setBigInt64(0, (0x7ff80001n << 32n) | 1n, true)
  else scratch.setFloat64(0, row.f, true)
  return `${row.k === null ? 'null' : JSON.stringify(row.k)},${x},${JSON.stringify(row.s)},${scratch.getInt32(0, true)}:${scratch.getInt32(4, true)}`
}

type Action =
  | { kind: 'change'; rows: { row: Row | Narrow; diff: number }[] }
  | { kind: 'cut' | 'crash' | 'hold' | 'releaseHold' }
  | { kind: 'evict'; seed: number }

const wideRow = fc.record({
  k: fc.constantFrom(null, 'a', 'b', 'a key longer than twelve'),
  x: fc.bigInt({ min: -2n, max: 2n }),
  s: fc.constantFrom('', 's', 'ü'),
  f: fc.constantFrom(null, 0.5, -0),
})
const narrowRow = fc.record({ k: fc.integer({ min: 0, max: 5 }), v: fc.integer({ min: -2, max: 200 }) })

function actions(row: fc.Arbitrary<Row | Narrow>): fc.Arbitrary<Action[]> {
  const change = fc
    .array(fc.record({ row, diff: fc.constantFrom(1, 1, 1, -1, 2) }), { maxLength: 12 })
    .map((rows): Action => ({ kind: 'change', rows }))
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: change },
      { weight: 2, arbitrary: fc.constantFrom<Action>({ kind: 'cut' }, { kind: 'hold' }, { kind: 'releaseHold' }) },
      { weight: 1, arbitrary: fc.constant<Action>({ kind: 'crash' }) },
      { weight: 2, arbitrary: fc.integer().map((seed): Action => ({ kind: 'evict', seed })) },
    ),
    { maxLength: 40 },
  )
}

function check(schema: Schema, script: readonly Action[]): void {
  const store = new MemoryBlockStore()
  let engine = start(schema, store)
  let now = 1
  let current = new Map<string, number>()
  let atCut = { time: 0, content: new Map<string, number>() }
  let held: { hold: Hold; content: Map<string, number> } | null = null
  const sorted = (rows: Map<string, number>) => new Map([...rows].filter(([, n]) => n !== 0).sort())
  for (const action of script) {
    if (action.kind === 'change') {
      for (const { row, diff } of action.rows) {
        engine.input.changeRows([row], diff)
        current.set(expectedText(row), (current.get(expectedText(row)) ?? 0) + diff)
      }
      engine.input.seal(now++)
      engine.graph.run()
      if (script.length % 2 === 0) expect(content(engine, schema, now - 1)).toEqual(sorted(current))
    } else if (action.kind === 'cut' && now - 1 > engine.checkpoint.stored && now > 1) {
      engine.checkpoint.cut(now - 1)
      atCut = { time: now - 1, content: new Map(current) }
    } else if (action.kind === 'crash') {
      engine = start(schema, store)
      engine.checkpoint.restore()
      held = null
      current = new Map(atCut.content)
      now = Math.max(engine.checkpoint.stored, 0) + 1
      if (engine.checkpoint.stored > 0) expect(content(engine, schema, engine.checkpoint.stored)).toEqual(sorted(current))
    } else if (action.kind === 'evict') {
      engine.checkpoint.evict(
        Array.from({ length: engine.arrangement.keys.capacity }, (_, key) => key).filter((key) => ((key * 7 + action.seed) & 3) !== 0),
      )
    } else if (action.kind === 'hold' && held === null && now - 1 >= engine.arrangement.trace.since && now > 1) {
      held = { hold: engine.arrangement.trace.hold(now - 1, 'test'), content: new Map(current) }
    } else if (action.kind === 'releaseHold' && held !== null) {
      expect(content(engine, schema, held.hold.time)).toEqual(sorted(held.content))
      held.hold.release()
      held = null
    }
  }
  if (now > 1 && now - 1 >= engine.arrangement.trace.since) {
    engine.input.seal(now)
    engine.graph.run()
    expect(content(engine, schema, now)).toEqual(sorted(current))
  }
}

test.each([false, true])('one-word values; hashed keys: %s', (hashed) => {
  KeyTable.forceHash = hashed
  try {
    fc.assert(
      fc.property(actions(narrowRow), (script) => check(narrow, script)),
      { numRuns: 150 },
    )
  } finally {
    KeyTable.forceHash = false
  }
})

test('wide values', () => {
  fc.assert(
    fc.property(actions(wideRow), (script) => check(wide, script)),
    { numRuns: 150 },
  )
})

test('a damaged or missing block is a clear error', () => {
  const store = new MemoryBlockStore()
  const engine = start(narrow, store)
  engine.input.changeRows([{ k: 1, v: 2 }], 1)
  engine.input.seal(1)
  engine.graph.run()
  engine.checkpoint.cut(1)
  const [key] = store.keys('test/run', 'test/rup')
  const [block] = store.read([key])
  const bad = (block as Uint8Array).slice()
  bad[bad.length - 1] ^= 1
  store.commit([[key, bad]], [])
  expect(() => start(narrow, store).checkpoint.restore()).toThrow(/checksum/)
  store.commit([], [key])
  expect(() => start(narrow, store).checkpoint.restore()).toThrow(/missing/)
})

test('restoring parts by virtual shard gives the whole, each row once', () => {
  const store = new MemoryBlockStore()
  const engine = start(narrow, store)
  for (let k = 0; k < 500; k++) engine.input.changeRows([{ k, v: k }], 1)
  engine.input.seal(1)
  engine.graph.run()
  engine.checkpoint.cut(1)
  const all = new Map<string, number>()
  for (let part = 0; part < 3; part++) {
    const other = start(narrow, store)
    other.checkpoint.restore((shard) => shard % 3 === part)
    for (const [row, n] of content(other, narrow, 1)) all.set(row, (all.get(row) ?? 0) + n)
  }
  expect(all.size).toBe(500)
  expect([...all.values()].every((n) => n === 1)).toBe(true)
})
