import { describe, expect, it } from 'vitest'
import { aggregate } from '../../operators/aggregate.ts'
import { CaptureLog, capture } from '../../operators/capture.ts'
import { count } from '../../operators/expression/aggregate.ts'
import { inspect } from '../../operators/inspect.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { Probe, probe } from '../../operators/probe.ts'
import { replay } from '../../operators/replay.ts'
import { int64, text } from '../../runtime/data/column-type.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'
import { plain } from '../oracle/multiset.ts'

const columns = { city: text, cents: int64 }
const counted = (input: PlanNode) => aggregate(input, ['city'], { n: count().spec })

describe('inspect', () => {
  it('sees each change and passes it on', () => {
    check(
      [columns],
      (input) => inspect(input, () => {}),
      (input) => input,
    )
    const seen: unknown[] = []
    const engine = new Engine([columns], (input) => inspect(input, (change) => void seen.push(change)))
    engine.change(0, { city: 'a', cents: 1n }, 2)
    engine.commit(7)
    engine.change(0, { city: 'a', cents: 1n }, -2)
    engine.commit(9)
    expect(seen).toEqual([
      { time: 7, row: { city: 'a', cents: 1n }, diff: 2 },
      { time: 9, row: { city: 'a', cents: 1n }, diff: -2 },
    ])
  })

  it('what it throws is an error, not the end', () => {
    const engine = new Engine([columns], (input) =>
      inspect(input, () => {
        throw new Error('no')
      }),
    )
    engine.change(0, { city: 'a', cents: 1n }, 2)
    engine.commit()
    expect(engine.output().size).toBe(1)
    expect([...engine.errors.values()]).toMatchObject([
      { count: 2, row: { operator: 'inspect', row: '{ city: "a", cents: 1n }', message: 'Error: no' } },
    ])
  })
})

describe('probe', () => {
  it('follows the frontier', () => {
    const handle = new Probe()
    expect(handle.frontier).toBe(Number.POSITIVE_INFINITY)
    const engine = new Engine([columns], (input) => probe(counted(input), handle))
    expect(handle.isComplete(0)).toBe(false)
    engine.commit(5)
    expect(handle.isComplete(5)).toBe(true)
    expect(handle.isComplete(6)).toBe(false)
  })
})

describe('capture and replay', () => {
  it('give the same at the same times, at once or afterwards', () => {
    const log = new CaptureLog()
    const engine = new Engine([columns], (input) => [counted(capture(input, log)), counted(replay(columns, log))])
    for (let i = 0; i < 20; i++) {
      for (let j = 0; j < 5; j++) engine.change(0, { city: 'abc'[(i * j) % 3] as string, cents: BigInt(j) }, i % 4 === 3 ? -1 : 1)
      engine.commit()
      expect(plain(engine.output(1))).toEqual(plain(engine.output(0)))
    }
    const later = new Engine([], () => counted(replay(columns, log)))
    later.dataflow.run()
    expect(plain(later.output())).toEqual(plain(engine.output()))
    expect(new Set(later.times)).toEqual(new Set(engine.times))
  })

  it('a log out of order is refused', () => {
    const log = new CaptureLog()
    log.write({ kind: 'frontier', frontier: 5 })
    log.write({ kind: 'changes', time: 4, changes: [{ row: { city: 'a', cents: 1n }, diff: 1 }] })
    const engine = new Engine([], () => replay(columns, log))
    expect(() => engine.dataflow.run()).toThrow(/behind the frontier/)
  })
})
