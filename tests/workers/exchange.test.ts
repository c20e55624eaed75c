/** Joins and counts on 1 to 8 workers, under random interleavings, equal the definition at every time. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccumulateOperator } from '../../operators/accumulate.ts'
import { RowCount } from '../../operators/accumulator.ts'
import { ArrangeOperator } from '../../operators/arrange.ts'
import { Builder } from '../../operators/builder.ts'
import { InputOperator } from '../../operators/input.ts'
import { JoinOperator } from '../../operators/join.ts'
import { OutputOperator } from '../../operators/output.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { int32, int64, text } from '../../runtime/data/column-type.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { SimulatedGroup } from '../../worker/simulated-group.ts'
import { Worker } from '../../worker/worker.ts'

interface Row {
  k: string
  v: number
}

/** Change `diff` of a row of input A (0) or B (1), fed to a worker at a time. */
interface Change {
  input: number
  row: Row
  diff: number
  worker: number
  time: number
}

const schema = new Schema({ k: text, v: int32 })
const pairs = new Schema({ k: text, a: int32, b: int32 })
const counts = new Schema({ k: text, n: int64 })

function below(seed: number): (bound: number) => number {
  let s = (seed >>> 0) | 1
  return (bound) => {
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    return (s >>> 0) % bound
  }
}

/** What came out, per output and time: row text -> multiplicity. */
type Seen = Map<string, Map<number, Map<string, number>>>

function run(workers: number, times: number, changes: readonly Change[], seed: number): Seen {
  const shards = ShardTable.even(1, workers)
  const seen: Seen = new Map()
  const inputs: InputOperator[][] = []
  const members = Array.from({ length: workers }, (_, index) => {
    const worker = new Worker(index, shards)
    const graph = new Dataflow('test', worker.dictionary)
    worker.add(0, graph, () => {
      const builder = new Builder(graph, [])
      const timeline = new Timeline(() => 0, 0)
      const [a, b] = [0, 1].map((i) => new InputOperator(graph, `input ${i}`, schema, timeline))
      inputs.push([a, b])
      const keys = new KeyTable([text])
      const left = new ArrangeOperator(builder.exchange(streamOf(a, schema), [0]), [0], [text], keys)
      const right = new ArrangeOperator(builder.exchange(streamOf(b, schema), [0]), [0], [text], keys)
      const joined = streamOf(
        new JoinOperator(left, right, pairs, [
          { side: 'key', words: [0] },
          { side: 'left', words: [0] },
          { side: 'right', words: [0] },
        ]),
        pairs,
      )
      const counted = streamOf(
        new AccumulateOperator(builder.exchange(joined, [0]), counts, [0], new KeyTable([text]), [new RowCount()]),
        counts,
      )
      for (const [name, stream] of [
        ['pairs', joined],
        ['counts', counted],
      ] as const) {
        new OutputOperator(stream, name).subscribe(({ time, changes: rows }) => {
          const at = seen.get(name) ?? seen.set(name, new Map()).get(name)
          const sum = at?.get(time) ?? at?.set(time, new Map()).get(time)
          for (const { row, diff } of rows) {
            const text = Object.values(row as object).join()
            sum?.set(text, (sum.get(text) ?? 0) + diff)
          }
        })
      }
    })
    return worker
  })
  const group = new SimulatedGroup(members, below(seed))
  const random = below(seed ^ 0x5bd1e995)
  for (let time = 1; time <= times; time++) {
    for (let w = 0; w < workers; w++) {
      for (let input = 0; input < 2; input++) {
        for (const change of changes)
          if (change.time === time && change.worker % workers === w && change.input === input)
            inputs[w][input].changeRows([change.row], change.diff)
        inputs[w][input].seal(time)
      }
      group.stir(w)
      for (let actions = random(20); actions > 0; actions--) group.act()
    }
  }
  group.settle()
  for (let w = 0; w < workers; w++) expect(inputs[w][0].readers[0].frontier).toBe(times + 1)
  return seen
}

function expected(times: number, changes: readonly Change[]): Seen {
  const seen: Seen = new Map([
    ['pairs', new Map()],
    ['counts', new Map()],
  ])
  let before: Record<string, Map<string, number>> = { pairs: new Map(), counts: new Map() }
  for (let time = 1; time <= times; time++) {
    const now: Record<string, Map<string, number>> = { pairs: new Map(), counts: new Map() }
    const total = new Map<string, number>()
    const past = changes.filter((change) => change.time <= time)
    for (const a of past)
      for (const b of past) {
        if (a.input !== 0 || b.input !== 1 || a.row.k !== b.row.k) continue
        const text = `${a.row.k},${a.row.v},${b.row.v}`
        now.pairs.set(text, (now.pairs.get(text) ?? 0) + a.diff * b.diff)
        total.set(a.row.k, (total.get(a.row.k) ?? 0) + a.diff * b.diff)
      }
    for (const [k, n] of total) if (n !== 0) now.counts.set(`${k},${n}`, 1)
    for (const name of ['pairs', 'counts']) {
      const difference = new Map(now[name])
      for (const [row, n] of before[name]) difference.set(row, (difference.get(row) ?? 0) - n)
      seen.get(name)?.set(time, difference)
    }
    before = now
  }
  return seen
}

function withoutZeros(seen: Seen): unknown {
  return [...seen]
    .map(
      ([name, times]) =>
        [
          name,
          [...times]
            .map(([t, rows]) => [t, [...rows].filter(([, n]) => n !== 0).sort()] as const)
            .filter(([, rows]) => rows.length > 0)
            .sort((x, y) => x[0] - y[0]),
        ] as const,
    )
    .filter(([, times]) => times.length > 0)
    .sort()
}

const change = (workers: number, times: number): fc.Arbitrary<Change> =>
  fc.record({
    input: fc.integer({ min: 0, max: 1 }),
    row: fc.record({ k: fc.constantFrom('a', 'b', 'c', 'a key longer than twelve', 'ü'), v: fc.integer({ min: 0, max: 3 }) }),
    diff: fc.constantFrom(1, 1, 2, -1),
    worker: fc.integer({ min: 0, max: workers - 1 }),
    time: fc.integer({ min: 1, max: times }),
  })

test.each([1, 2, 3, 5, 8])('join and count on %i workers', (workers) => {
  fc.assert(
    fc.property(fc.array(change(workers, 5), { maxLength: 40 }), fc.integer(), (changes, seed) => {
      expect(withoutZeros(run(workers, 5, changes, seed))).toEqual(withoutZeros(expected(5, changes)))
    }),
    { numRuns: 60 },
  )
})
