import { describe, expect, it } from 'vitest'
import { ErrorsOperator } from '../../operators/errors.ts'
import { InputOperator } from '../../operators/input.ts'
import { OutputOperator } from '../../operators/output.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { errorSchema } from '../../runtime/data/error-schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'

const row = (message: string) => ({ operator: 'map', origin: '', row: null, message, source: null, position: null })

function engine(count: number) {
  const dataflow = new Dataflow('test', new Dictionary())
  const inputs = Array.from({ length: count }, (_, i) => new InputOperator(dataflow, `source${i}`, errorSchema))
  const errors = new ErrorsOperator(
    dataflow,
    inputs.map((input) => streamOf(input, errorSchema)),
  )
  const told: [number, string, number][] = []
  new OutputOperator(errors.stream, 'errors').subscribe(({ time, changes }) => {
    for (const change of changes) told.push([time, (change.row as { message: string }).message, change.diff])
  })
  return { dataflow, inputs, errors, told }
}

describe('errors of several sources', () => {
  it('come out in the order of their times, and are complete when all sources are', () => {
    const { dataflow, inputs, errors, told } = engine(2)
    const [a, b] = inputs
    a.changeRows([row('a5')], 1)
    a.seal(5)
    a.changeRows([row('a9')], 2)
    a.seal(9)
    dataflow.run()
    expect([told, errors.frontier, errors.waits]).toEqual([[], 0, true])
    b.changeRows([row('b7')], 1)
    b.seal(7)
    dataflow.run()
    expect(told).toEqual([
      [5, 'a5', 1],
      [7, 'b7', 1],
    ])
    expect([errors.frontier, errors.waits]).toEqual([8, true])
    b.seal(20)
    dataflow.run()
    expect(told).toHaveLength(3)
    expect(told[2]).toEqual([9, 'a9', 2])
    expect([errors.frontier, errors.waits]).toEqual([10, false])
  })

  it('one source, and none', () => {
    const { dataflow, inputs, told } = engine(1)
    inputs[0].changeRows([row('x')], 1)
    inputs[0].seal(3)
    dataflow.run()
    expect(told).toEqual([[3, 'x', 1]])
    const none = engine(0)
    none.dataflow.run()
    expect(none.errors.frontier).toBe(Number.POSITIVE_INFINITY)
  })
})
