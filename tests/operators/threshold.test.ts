import { describe, expect, it } from 'vitest'
import { concat } from '../../operators/concat.ts'
import { consolidate } from '../../operators/consolidate.ts'
import { distinct } from '../../operators/distinct.ts'
import { negate } from '../../operators/negate.ts'
import { threshold } from '../../operators/threshold.ts'
import { array, decimal, float64, int32, json, nullable, text } from '../../runtime/data/column-type.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'
import { distinctRows, thresholded } from '../oracle/threshold.ts'

const columns = { a: int32, b: nullable(text), c: float64, d: decimal, e: nullable(int32) }
const few = { spread: 1, changes: 12 }

describe('distinct', () => {
  it('shows every row with a positive multiplicity once', () => {
    check([{ a: int32 }], (input) => distinct(input), distinctRows, { ...few, runs: 300 })
    check([columns], (input) => distinct(input), distinctRows, few)
    check([{ j: json(), l: array(float64) }], (input) => distinct(input), distinctRows, few)
    check([columns], (input) => distinct(input), distinctRows, { ...few, appendOnly: true, diffs: [1, 2] })
  })

  it('keeps each of 300,000 random rows, through consolidate, too', () => {
    const engine = new Engine([{ a: int32, b: int32 }], (input) => distinct(consolidate(input)))
    let state = 1234567
    const random = () => {
      state ^= state << 13
      state ^= state >>> 17
      state ^= state << 5
      return state | 0
    }
    const different = new Set<string>()
    for (let slice = 0; slice < 300; slice++) {
      const rows = Array.from({ length: 1000 }, () => ({ a: random(), b: random() % 3 }))
      for (const { a, b } of rows) different.add(`${a} ${b}`)
      engine.changeAll(0, rows, 1)
    }
    engine.commit()
    expect(engine.output().size).toBe(different.size)
  })

  it('frees rows that are gone', () => {
    const engine = new Engine([{ a: int32 }], (input) => distinct(input))
    const operator = engine.dataflow.operators.find((one) => one.name === 'distinct') as unknown as { table: { count: number } }
    for (let a = 0; a < 100; a++) {
      engine.change(0, { a }, 2)
      engine.commit()
      engine.change(0, { a }, -1)
      engine.change(0, { a }, -1)
      engine.commit()
    }
    expect(operator.table.count).toBe(0)
    expect(engine.output().size).toBe(0)
  })
})

describe('threshold', () => {
  it('shows what the function says, with errors where it fails', () => {
    const fn = (multiplicity: number) => {
      if (multiplicity === 3) throw new Error('three')
      return multiplicity === 4 ? 0.5 : multiplicity < 0 ? 7 : multiplicity - 1
    }
    const fails = (multiplicity: number) => multiplicity === 3 || multiplicity === 4
    const errors = (input: Multiset) => {
      const out: Multiset = new Map()
      for (const { row, count } of input.values()) {
        if (!fails(count)) continue
        const message = count === 3 ? 'Error: three' : 'the function gave 0.5, which is no multiplicity (int32)'
        add(out, { row: `{ a: ${row['a']} }`, message }, 1)
      }
      return out
    }
    check(
      [{ a: int32 }],
      (input) => threshold(input, fn),
      (input) => thresholded(input, (multiplicity) => (fails(multiplicity) ? 0 : fn(multiplicity))),
      { ...few, runs: 300, errors },
    )
  })
})

describe('consolidate', () => {
  it('changes nothing but the number of changes', () => {
    check(
      [columns],
      (input) => consolidate(input),
      (input) => input,
      few,
    )
    const engine = new Engine([{ a: int32 }], (input) => [consolidate(concat([input, negate(input)])), consolidate(concat([input, input]))])
    for (let a = 0; a < 30; a++) engine.change(0, { a }, 1)
    engine.commit()
    expect(engine.last[0]).toEqual([])
    expect(engine.last[1]).toHaveLength(30)
    expect(plain(engine.output(0))).toEqual({})
  })
})
