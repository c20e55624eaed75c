import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DataflowDescription } from '../../runtime/progress/dataflow-description.ts'
import { DataflowTracker } from '../../runtime/progress/dataflow-tracker.ts'
import { applyProgress, ProgressChanges } from '../../runtime/progress/progress-message.ts'
import { OuterCounts } from '../../runtime/time/outer-counts.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import { deepLoop, nestedLoop, simpleLoop } from './region-graphs.ts'
import { type SimulatedDataflow, Simulation } from './simulation.ts'

/** Two sources, an exchange each, an operator that joins them. */
const flat: SimulatedDataflow = {
  description: {
    locations: 6,
    edges: [
      { from: 0, to: 2 },
      { from: 1, to: 3 },
      { from: 2, to: 4 },
      { from: 3, to: 4 },
      { from: 4, to: 5 },
    ],
    queryPorts: [2, 3, 5],
    initialCapabilities: [0, 1],
    regions: [],
  },
  capabilities: [[0, 1, 4]],
  messages: [[2, 3, 5]],
}

/** A source, an exchange, a loop, an exchange behind it, and a second source that goes around the loop. */
const withLoop = (region: typeof simpleLoop, capabilities: number[], messages: number[]): SimulatedDataflow => ({
  description: {
    locations: 6,
    edges: [
      { from: 0, to: 2 },
      { from: 1, to: 4 },
      { from: 4, to: 5 },
    ],
    queryPorts: [2, 4, 5],
    initialCapabilities: [0, 1],
    regions: [
      {
        description: region,
        inputs: region.ingress.map((ingress, i) => ({ from: i === 0 ? 2 : 1, ingress })),
        outputs: [{ egress: 1, to: 4 }],
      },
    ],
  },
  capabilities: [[0, 1], capabilities],
  messages: [[2, 4, 5], messages],
})

/** Two loops one after the other. */
const twoLoops: SimulatedDataflow = {
  description: {
    locations: 3,
    edges: [],
    queryPorts: [1, 2],
    initialCapabilities: [0],
    regions: [
      { description: simpleLoop, inputs: [{ from: 0, ingress: 0 }], outputs: [{ egress: 1, to: 1 }] },
      { description: nestedLoop, inputs: [{ from: 1, ingress: 0 }], outputs: [{ egress: 1, to: 2 }] },
    ],
  },
  capabilities: [[0], [3], [3, 5]],
  messages: [[1, 2], [4], [6]],
}

describe('several workers', () => {
  test.each([
    ['without loops', flat, 80],
    ['a loop', withLoop(simpleLoop, [3, 5], [4]), 60],
    ['a loop in a loop', withLoop(nestedLoop, [3, 7], [4, 6]), 40],
    ['three loops in one another', withLoop(deepLoop, [3, 6], [5, 7]), 25],
    ['two loops in a row', twoLoops, 40],
  ])('no frontier passes what can still appear, none stays behind: %s', (_, dataflow, numRuns) => {
    const schedule = fc.record({ peers: fc.constantFrom(1, 2, 3, 5), steps: fc.integer({ min: 20, max: 120 }), seed: fc.integer() })
    fc.assert(
      fc.property(schedule, ({ peers, steps, seed }) => {
        const simulation = new Simulation(dataflow, peers, chooser(seed), seed & 1 ? 7 : 0)
        simulation.checkExact()
        for (let phase = 0; phase < 2; phase++) {
          for (let i = 0; i < steps; i++) simulation.step()
          simulation.settle()
          simulation.checkExact()
        }
        simulation.finish()
        simulation.checkExact()
        for (const { tracker } of simulation.workers) expect(tracker.outstanding).toBe(0)
      }),
      { numRuns },
    )
  })
})

describe('DataflowTracker', () => {
  const build = (change: Partial<DataflowDescription> = {}): DataflowTracker => {
    const description = { ...withLoop(simpleLoop, [3, 5], [4]).description, names: ['orders', 'cities', 'a', 'b', 'c', 'd'], ...change }
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
    const { regions } = withLoop(simpleLoop, [], []).description
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
  const { description } = withLoop(deepLoop, [], [])

  test('carry net changes by coordinates; nothing to say is no message', () => {
    const mine = [new TimeTable()]
    const changes = new ProgressChanges(description, mine)
    changes.update(2, 7, 1)
    changes.update(2, 7, -1)
    expect([changes.isEmpty, changes.hasDecrement, changes.take()]).toEqual([true, false, null])
    changes.update(2, 2 ** 52 + 1, 2)
    expect([changes.isEmpty, changes.hasDecrement]).toEqual([false, false])
    changes.updateInRegion(0, 6, mine[0].intern3(9, 1, 2, 3), -1)
    changes.updateInRegion(0, 4, mine[0].intern2(9, 1, 2), 1)
    changes.updateInRegion(0, 6, mine[0].intern3(9, 1, 2, 4), 1)
    expect(changes.hasDecrement).toBe(true)
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

/** A small generator of numbers below n (mulberry32), so that a seed is a schedule. */
function chooser(seed: number): (n: number) => number {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}
