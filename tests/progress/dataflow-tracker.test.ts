import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DataflowDescription } from '../../runtime/progress/dataflow-description.ts'
import { DataflowTracker } from '../../runtime/progress/dataflow-tracker.ts'
import { applyProgress, ProgressChanges } from '../../runtime/progress/progress-message.ts'
import { OuterCounts } from '../../runtime/time/outer-counts.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import { flat, loopInLoop, oneLoop, simulate, threeLoops, twoLoops } from './simulated-dataflows.ts'

describe('several workers', () => {
  test.each([
    ['without loops', flat, 80],
    ['a loop', oneLoop, 60],
    ['a loop in a loop', loopInLoop, 40],
    ['three loops in one another', threeLoops, 25],
    ['two loops in a row', twoLoops, 40],
  ])('no frontier passes what can still appear, none stays behind: %s', (_, dataflow, numRuns) => {
    const schedule = fc.record({ peers: fc.constantFrom(1, 2, 3, 5), steps: fc.integer({ min: 20, max: 120 }), seed: fc.integer() })
    fc.assert(
      fc.property(schedule, ({ peers, steps, seed }) => simulate(dataflow, peers, steps, seed)),
      { numRuns },
    )
  })
})

describe('DataflowTracker', () => {
  const build = (change: Partial<DataflowDescription> = {}): DataflowTracker => {
    const description = { ...oneLoop.description, names: ['orders', 'cities', 'a', 'b', 'c', 'd'], ...change }
    return new DataflowTracker(
      description,
      description.regions.map(() => new TimeTable()),
      2,
      10,
    )
  }

  test('starts with one capability per worker and declared output', () => {
    const tracker = build()
    expect([0, 1, 2, 3, 4, 5].map((location) => tracker.frontier(location))).toEqual([10, 10, 10, Infinity, 10, 10])
    tracker.update(0, 10, -1)
    tracker.update(1, 10, -1)
    expect(tracker.propagate()).toEqual([])
    tracker.update(0, 10, -1)
    expect(tracker.propagate()).toEqual([2])
    expect(tracker.changedInRegion(0)).toEqual([2, 3, 4])
    tracker.update(1, 20, 1)
    tracker.update(1, 10, -1)
    expect(tracker.propagate()).toEqual([4, 5])
    expect(tracker.changedInRegion(0)).toEqual([])
    expect([tracker.frontier(4), tracker.isClosed(4, 19), tracker.isClosed(4, 20)]).toEqual([20, true, false])
  })

  test('refuses a graph that is not in topological order, naming the place', () => {
    const { regions } = oneLoop.description
    expect(() => build({ edges: [{ from: 3, to: 2 }] })).toThrow(/a comes before what it follows \(b\)/)
    expect(() => build({ edges: [{ from: 2, to: 2 }] })).toThrow(/must be a loop region/)
    expect(() => build({ queryPorts: [6] })).toThrow(/location 6 does not exist/)
    expect(() => build({ regions: [{ ...regions[0], outputs: [{ egress: 1, to: 2 }] }] })).toThrow(
      /a feeds a loop region that it depends on/,
    )
    expect(() => build({ regions: [{ ...regions[0], inputs: [{ from: 0, ingress: 3 }] }] })).toThrow(
      /orders feeds location 3 of a loop, which is no ingress/,
    )
    expect(() => build({ regions: [{ ...regions[0], outputs: [{ egress: 0, to: 4 }] }] })).toThrow(
      /c follows location 0 of a loop, which is no egress/,
    )
    expect(() => new DataflowTracker(flat.description, [new TimeTable()], 1)).toThrow(/one time table/)
    expect(() => build().update(9, 1, 1)).toThrow(/invariant/)
    expect(() => build().updateInRegion(1, 1, 1, 1)).toThrow(/invariant/)
  })
})

describe('progress messages', () => {
  const { description } = threeLoops

  test('carry net changes by coordinates; nothing to say is no message', () => {
    const mine = [new TimeTable()]
    const changes = new ProgressChanges(description, mine)
    changes.update(2, 7, 1)
    changes.update(2, 7, -1)
    const uncovered = () => false
    expect([changes.isEmpty, changes.isDue(uncovered), changes.take()]).toEqual([true, false, null])
    changes.update(2, 2 ** 52 + 1, 2)
    expect([changes.isEmpty, changes.isDue(uncovered)]).toEqual([false, false])
    changes.updateInRegion(0, 6, mine[0].intern3(9, 1, 2, 3), -1)
    changes.updateInRegion(0, 4, mine[0].intern2(9, 1, 2), 1)
    changes.updateInRegion(0, 6, mine[0].intern3(9, 1, 2, 4), 1)
    expect(changes.isDue(uncovered)).toBe(true)
    const message = changes.take() as Float64Array
    expect([...message]).toEqual([0, 2, 0, 1, 2, 2 ** 52 + 1, 1, 6, 3, 2, -1, 9, 1, 2, 3, 1, 9, 1, 2, 4, 1, 4, 2, 1, 1, 9, 1, 2])
    expect([changes.isEmpty, changes.take()]).toEqual([true, null])
    const theirs = [new TimeTable()]
    theirs[0].intern1(1, 1)
    const tracker = new DataflowTracker(description, theirs, 1)
    const before = tracker.outstanding
    applyProgress(message, tracker)
    expect(tracker.outstanding).toBe(before + 4)
    applyProgress(
      message.map((x, i) => ([4, 10, 15, 24].includes(i) ? -x : x)),
      tracker,
    )
    expect(tracker.outstanding).toBe(before)
  })

  test('one that does not fit the dataflow is refused', () => {
    const tracker = new DataflowTracker(description, [new TimeTable()], 1)
    for (const wrong of [
      [1, 6, 2, 1, 1, 9, 1, 2],
      [2, 0, 0, 1, 1, 9],
      [0, 2, 0, 2, 1, 9],
      [0, 2, 0],
      [0, 17, 0, 1, 1, 9],
    ])
      expect(() => applyProgress(Float64Array.from(wrong), tracker)).toThrow(/invariant/)
  })
})

test('OuterCounts: the least time with a count above zero, against the definition', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(6), fc.integer({ min: -2, max: 2 })), { maxLength: 40 }), (changes) => {
      const counts = new OuterCounts()
      const model = new Map<number, number>()
      for (const [time, delta] of changes) {
        const before = counts.least
        const moved = counts.update(time, delta)
        model.set(time, (model.get(time) ?? 0) + delta)
        expect(counts.least).toBe(Math.min(Infinity, ...[...model].filter(([, count]) => count > 0).map(([each]) => each)))
        expect(moved).toBe(counts.least !== before)
        expect(counts.size).toBe([...model.values()].filter((count) => count !== 0).length)
      }
    }),
  )
})
