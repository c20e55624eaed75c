/** Operators inside a loop at random partially ordered times: what is accumulated is right at every time of the product order. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GeneralArrangeOperator } from '../../operators/general-arrange.ts'
import { GeneralConsolidateOperator } from '../../operators/general-consolidate.ts'
import { GeneralDistinctOperator } from '../../operators/general-distinct.ts'
import { GeneralJoinOperator } from '../../operators/general-join.ts'
import { GeneralReduceOperator } from '../../operators/general-reduce.ts'
import type { GroupRule } from '../../operators/group-rule.ts'
import { entered } from '../../operators/loop-border.ts'
import { type Batch, BatchPool } from '../../runtime/data/batch.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { Operator, type Port } from '../../runtime/graph/operator.ts'
import { Region } from '../../runtime/graph/region.ts'
import { type Stream, streamOf } from '../../runtime/graph/stream.ts'

const schema = new Schema({ key: int32, value: int32 })
/** outer, and three loop coordinates. */
type Time = readonly [number, number, number, number]
interface Change {
  readonly side: number
  readonly row: readonly [number, number]
  readonly time: Time
  readonly diff: number
}

const lessEqual = (a: Time, b: Time) => a.every((coordinate, i) => coordinate <= b[i])

class Source extends Operator {
  private readonly pool = new BatchPool([1, 1, 1, 1, 1])
  step(): void {}

  write(changes: readonly Change[]): void {
    const batch = this.pool.take(changes[0].time[0], changes.length)
    changes.forEach(({ row, time, diff }, i) => {
      for (const [c, word] of [...row, ...time.slice(1)].entries()) batch.columns[c][i] = word
      batch.differences[i] = diff
    })
    batch.n = changes.length
    this.send(batch)
  }
}

/** Moves each row to the loop coordinates that its last columns say. */
class Scatter extends Operator {
  private readonly port: Port
  private readonly region: Region

  constructor(stream: Stream) {
    super(stream.operator.dataflow, 'scatter')
    this.region = stream.region as Region
    this.port = this.listen(stream.operator)
  }

  step(): void {
    for (let batch = this.port.pop(); batch !== null; batch = this.port.pop()) {
      const out = new BatchPool([1, 1]).take(0, batch.n)
      const times = out.useTimes()
      const outer = this.region.times.outer(batch.time)
      for (let i = 0; i < batch.n; i++) {
        out.columns[0][i] = batch.columns[0][i]
        out.columns[1][i] = batch.columns[1][i]
        out.differences[i] = batch.differences[i]
        times[i] = this.region.times.intern3(outer, batch.columns[2][i], batch.columns[3][i], batch.columns[4][i])
      }
      out.n = batch.n
      batch.release()
      this.send(out)
    }
  }
}

class Sink extends Operator {
  readonly found: { readonly row: string; readonly time: Time; readonly diff: number }[] = []
  private readonly port: Port
  private readonly region: Region

  constructor({ operator, region }: Stream) {
    super(operator.dataflow, 'sink')
    this.region = region as Region
    this.port = this.listen(operator)
  }

  step(): void {
    const { times } = this.region
    for (let batch = this.port.pop(); batch !== null; batch = this.port.pop()) {
      for (let i = 0; i < batch.n; i++) {
        const id = batch.times === null ? batch.time : batch.times[i]
        const time: Time = [times.outer(id), times.coordinate(id, 1), times.coordinate(id, 2), times.coordinate(id, 3)]
        this.found.push({ row: batch.columns.map((column) => column[i]).join(), time, diff: batch.differences[i] })
      }
      batch.release()
    }
  }
}

type Sums = Map<string, number>

function sums(entries: Iterable<readonly [string, number]>): Record<string, number> {
  const map: Sums = new Map()
  for (const [row, diff] of entries) map.set(row, (map.get(row) ?? 0) + diff)
  return Object.fromEntries([...map].filter(([, sum]) => sum !== 0).sort())
}

const change = fc.record({
  side: fc.nat(1),
  row: fc.tuple(fc.nat(2), fc.nat(2)),
  time: fc.tuple(fc.constant(0), fc.nat(3), fc.nat(2), fc.nat(2)),
  diff: fc.constantFrom(1, 1, 1, -1, 2, -2),
})
/** Per outer time its changes, and whether the dataflow runs to its end after it. */
const rounds = fc.array(fc.record({ changes: fc.array(change, { maxLength: 7 }), run: fc.boolean() }), { minLength: 1, maxLength: 4 })

const at = (time: readonly [number, number, number], diff: number): Change => ({ side: 0, row: [0, 0], time: [0, ...time], diff })
/** The last change matters only where both times before it, which are not ordered, have come together. */
const FOUR_WAYS = [
  { changes: [at([0, 0, 0], 2), at([0, 0, 0], 1), at([1, 0, 0], -1), at([0, 1, 0], -1)], run: true },
  { changes: [at([0, 0, 0], -1)], run: true },
]

/** `outputs` says what an operator shows for the accumulated rows of both sides. */
function check(
  build: (left: Stream, right: Stream) => Stream,
  outputs: (left: Sums, right: Sums) => Iterable<readonly [string, number]>,
): void {
  fc.assert(
    fc.property(rounds, (list) => {
      const dataflow = new Dataflow('test', new Dictionary())
      const region = new Region(dataflow)
      const wide = new Schema({ key: int32, value: int32, first: int32, second: int32, third: int32 })
      const sources = [new Source(dataflow, 'left'), new Source(dataflow, 'right')]
      const inside = sources.map((source) => {
        const deep = entered(entered(entered(streamOf(source, wide), region), region), region)
        return streamOf(new Scatter(deep), schema, region, 3)
      })
      const sink = new Sink(build(inside[0], inside[1]))
      const all: Change[] = []
      list.forEach(({ changes, run }, round) => {
        const dated = changes.map((one) => ({ ...one, time: [round + 1, one.time[1], one.time[2], one.time[3]] as const }))
        for (const side of [0, 1]) {
          const own = dated.filter((one) => one.side === side)
          if (own.length > 0) sources[side].write(own)
        }
        for (const source of sources) source.advance(round + 2)
        all.push(...dated)
        if (run) dataflow.run()
      })
      dataflow.run()
      for (let outer = 1; outer <= list.length; outer++)
        for (let a = 0; a <= 3; a++)
          for (let b = 0; b <= 2; b++)
            for (let c = 0; c <= 2; c++) {
              const then: Time = [outer, a, b, c]
              const sides = [0, 1].map((side) => {
                const rows = all.filter((one) => one.side === side && lessEqual(one.time, then))
                return new Map(Object.entries(sums(rows.map(({ row, diff }) => [row.join(), diff] as const))))
              })
              const shown = sums(sink.found.filter(({ time }) => lessEqual(time, then)).map(({ row, diff }) => [row, diff] as const))
              expect({ then, rows: shown }).toEqual({ then, rows: sums(outputs(sides[0], sides[1])) })
            }
    }),
    { numRuns: 120, examples: [[FOUR_WAYS]] },
  )
}

const arranged = (stream: Stream, keys = stream.operator.dataflow.keyTable([int32])) =>
  new GeneralArrangeOperator(stream, [0], [int32], keys)

describe('at partially ordered times', () => {
  it('distinct shows each row once', () => {
    check(
      (left) => streamOf(new GeneralDistinctOperator(left), schema, left.region, 3),
      (left) => [...left].filter(([, count]) => count > 0).map(([row]) => [row, 1] as const),
    )
  })

  it('threshold shows any function of the multiplicity', () => {
    const threshold = (count: number) => (count === 0 ? 0 : 3 - (count % 3))
    check(
      (left) => streamOf(new GeneralDistinctOperator(left, { threshold }), schema, left.region, 3),
      (left) => [...left].map(([row, count]) => [row, threshold(count)] as const),
    )
  })

  it('consolidate shows the same collection', () => {
    check(
      (left) => streamOf(new GeneralConsolidateOperator(left), schema, left.region, 3),
      (left) => left,
    )
  })

  it('reduce shows what its rule makes of each group', () => {
    const least: GroupRule = {
      canFail: false,
      skips: null,
      isFull: () => false,
      compute(group: Batch, out: Batch): null {
        let best = Number.POSITIVE_INFINITY
        for (let i = 0; i < group.n; i++) if (group.differences[i] > 0) best = Math.min(best, group.columns[1][i])
        if (best === Number.POSITIVE_INFINITY) return null
        out.reserve(out.n + 1)
        out.columns[1][out.n] = best
        out.differences[out.n++] = 1
        return null
      },
    }
    check(
      (left) => streamOf(new GeneralReduceOperator(arranged(left), 'reduce', schema, least, ''), schema, left.region, 3),
      (left) => {
        const best = new Map<string, number>()
        for (const [row, count] of left) {
          const [key, value] = row.split(',')
          if (count > 0) best.set(key, Math.min(best.get(key) ?? 9, Number(value)))
        }
        return [...best].map(([key, value]) => [`${key},${value}`, 1] as const)
      },
    )
  })

  it('join shows the product of both sides', () => {
    const both = new Schema({ a: int32, b: int32 })
    check(
      (left, right) => {
        const one = arranged(left)
        const columns = [
          { side: 'left', words: [0] },
          { side: 'right', words: [0] },
        ] as const
        return streamOf(new GeneralJoinOperator(one, arranged(right, one.keys), both, columns), both, left.region, 3)
      },
      (left, right) => {
        const pairs: [string, number][] = []
        for (const [a, count] of left) {
          for (const [b, times] of right) {
            const [key, value] = a.split(',')
            const [otherKey, otherValue] = b.split(',')
            if (key === otherKey) pairs.push([`${value},${otherValue}`, count * times])
          }
        }
        return pairs
      },
    )
  })
})
