import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RegionDescription, RegionEdge } from '../../runtime/progress/region-description.ts'
import { RegionTracker } from '../../runtime/progress/region-tracker.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import {
  byCoordinates,
  deepLoop,
  follow,
  lessEqual,
  minimal,
  nestedLoop,
  randomRegion,
  simpleLoop,
  type Time,
  walk,
} from './region-graphs.ts'

/** A tracker beside the definition: the times that walking from every stamp with a positive count reaches. */
class Checked {
  readonly table = new TimeTable()
  readonly tracker: RegionTracker
  readonly region: RegionDescription
  readonly counts = new Map<string, number>()
  readonly ingress: Map<number, number>
  private before: string[]

  constructor(region: RegionDescription) {
    this.region = region
    this.tracker = new RegionTracker(region, this.table)
    this.ingress = new Map(region.ingress.map((location) => [location, 0]))
    this.before = region.queryPorts.map(() => '[]')
  }

  toId(time: Time): number {
    return this.table.intern(time[0], time.slice(1))
  }

  update(location: number, time: Time, delta: number): void {
    this.tracker.update(location, this.toId(time), delta)
    const key = JSON.stringify([location, time])
    this.counts.set(key, (this.counts.get(key) ?? 0) + delta)
  }

  setIngress(location: number, outer: number): void {
    this.tracker.setIngressFrontier(location, outer)
    this.ingress.set(location, outer)
  }

  /** Propagates, and compares every answer with the definition. */
  check(probes: readonly Time[], most?: number): void {
    const { tracker, table, region } = this
    const changed = tracker.propagate()
    const stamps = [...this.counts].filter(([, count]) => count > 0).map(([key]) => JSON.parse(key) as [number, Time])
    for (const [location, outer] of this.ingress) if (outer < Infinity) stamps.push([location, [outer]])
    const reached = walk(region, stamps, most)
    region.queryPorts.forEach((port, at) => {
      const frontier = tracker
        .frontier(port)
        .map((id) => [table.outer(id), ...region.depths.slice(0, table.depth(id)).map((_, i) => table.coordinate(id, i + 1))])
      const expected = minimal(reached[port])
      expect(frontier.sort(byCoordinates)).toEqual(expected)
      if (changed.includes(port) !== (this.before[at] !== JSON.stringify(expected))) expect.fail(`port ${port}: changed or not?`)
      this.before[at] = JSON.stringify(expected)
      for (const probe of probes) {
        const time = probe.slice(0, region.depths[port] + 1)
        const open = reached[port].some((each) => lessEqual(each, time))
        if (tracker.isClosed(port, this.toId(time)) === open) expect.fail(`port ${port} at ${time}: closed or not?`)
      }
    })
    for (const egress of region.egress)
      expect(tracker.outputFrontier(egress)).toBe(Math.min(Infinity, ...reached[egress].map(([outer]) => outer)))
    expect(tracker.outputFrontier()).toBe(Math.min(Infinity, ...region.egress.flatMap((egress) => reached[egress].map(([outer]) => outer))))
    expect(tracker.outstanding).toBe([...this.counts.values()].filter((count) => count !== 0).length)
  }
}

const coordinates = fc.tuple(fc.nat(3), fc.nat(2), fc.nat(2), fc.nat(2))
const command = fc.record({
  where: fc.nat(30),
  time: coordinates,
  delta: fc.constantFrom(-1, 1, 1, 2),
  outer: fc.constantFrom(0, 1, 2, 3, Infinity),
  look: fc.boolean(),
})

function run(
  region: RegionDescription,
  commands: readonly (typeof command extends fc.Arbitrary<infer C> ? C : never)[],
  most?: number,
): void {
  const checked = new Checked(region)
  const probes: Time[] = []
  checked.check(probes, most)
  for (const { where, time, delta, outer, look } of commands) {
    const location = where % region.depths.length
    probes.push(time)
    if (region.ingress.includes(location)) checked.setIngress(location, outer)
    else if (region.depths[location] > 0) checked.update(location, time.slice(0, region.depths[location] + 1), delta)
    if (look) checked.check(probes, most)
  }
  for (const location of region.ingress) checked.setIngress(location, Infinity)
  checked.check(probes, most)
  // Take everything away: nothing may be left, in whatever order counts went below zero before.
  for (const [key, count] of [...checked.counts]) checked.update(...(JSON.parse(key) as [number, Time]), -count)
  checked.check(probes, most)
  expect(checked.tracker.outputFrontier()).toBe(Infinity)
}

/** All times of a depth with coordinates 0 and 1. */
function smallTimes(depth: number): Time[] {
  return Array.from({ length: 1 << depth }, (_, bits) => [5, ...Array.from({ length: depth }, (_each, level) => (bits >> level) & 1)])
}

/** Whether following edges can lead from a time at a location back to the same time there. */
function meetsItself(region: RegionDescription): boolean {
  const most = region.edges.length
  const state = new Map<string, 'open' | 'done'>()
  const visit = (location: number, time: Time): boolean => {
    const key = `${location}:${time.join()}`
    if (state.has(key)) return state.get(key) === 'open'
    if (time.some((coordinate) => coordinate > most)) return false
    state.set(key, 'open')
    const meets = region.edges.some((edge) => edge.from === location && visit(edge.to, follow(edge.kind, time)))
    state.set(key, 'done')
    return meets
  }
  return region.depths.some((depth, location) => visit(location, [0, 0, 0, 0].slice(0, depth + 1)))
}

describe('RegionTracker', () => {
  test.each([
    ['a loop', simpleLoop],
    ['a loop in a loop', nestedLoop],
    ['three loops', deepLoop],
  ])('frontiers equal the definition: %s', (_, region) => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 12 }), (commands) => run(region, commands, 4)),
      { numRuns: region === deepLoop ? 30 : 80 },
    )
  })

  test('frontiers equal the definition: random regions', () => {
    fc.assert(
      fc.property(randomRegion, fc.array(command, { maxLength: 14 }), (region, commands) => run(region, commands)),
      { numRuns: 120 },
    )
  })

  test.each([
    ['a loop in a loop', nestedLoop, 4],
    ['three loops', deepLoop, undefined],
  ])('every pair of pointstamps with coordinates below 2: %s', (_, region, most) => {
    const stamps = region.depths.flatMap((depth, location) =>
      depth === 0 ? [] : smallTimes(depth).map((time): [number, Time] => [location, time]),
    )
    const probes = smallTimes(3)
    const checked = new Checked(region)
    for (const ingress of region.ingress) checked.setIngress(ingress, Infinity)
    for (const [i, a] of stamps.entries())
      for (const b of stamps.slice(i)) {
        checked.update(...a, 1)
        checked.update(...b, 1)
        checked.check(probes, most)
        checked.update(...b, -1)
        checked.update(...a, -1)
      }
  })

  test.each([[[1, 1]], [[1, 2, 2]]])(
    'every region over locations of depths %j: refused if a message could meet itself, else exact',
    (inner) => {
      const choices: RegionEdge[] = []
      inner.forEach((from, i) => {
        inner.forEach((to, j) => {
          const kinds = from < to ? ['enter' as const] : from > to ? ['leave' as const] : ['identity' as const, 'feedback' as const]
          // No location is connected to itself as is: that is refused, and would halve the rest.
          for (const kind of kinds) if (i !== j || kind === 'feedback') choices.push({ from: i + 2, to: j + 2, kind })
        })
      })
      const border: RegionEdge[] = [
        { from: 0, to: 2, kind: 'enter' },
        { from: 2, to: 1, kind: 'leave' },
      ]
      let refused = 0
      for (let set = 0; set < 1 << choices.length; set++) {
        const region: RegionDescription = {
          depths: [0, 0, ...inner],
          edges: [...border, ...choices.filter((_, i) => set & (1 << i))],
          queryPorts: inner.map((_, i) => i + 2),
          ingress: [0],
          egress: [1],
        }
        if (meetsItself(region)) {
          refused++
          expect(() => new RegionTracker(region, new TimeTable())).toThrow(/does not advance/)
          continue
        }
        const checked = new Checked(region)
        checked.setIngress(0, Infinity)
        for (const location of region.queryPorts) {
          const time = [5, 1, 1].slice(0, region.depths[location] + 1)
          checked.update(location, time, 1)
          checked.check([])
          checked.update(location, time, -1)
        }
      }
      expect(refused).toBeGreaterThan(0)
      expect(refused).toBeLessThan(1 << choices.length)
    },
  )

  test('a loop runs: the frontier follows the iterations and the output waits for the last', () => {
    const table = new TimeTable()
    const tracker = new RegionTracker(simpleLoop, table)
    const at = (i: number): number => table.intern1(100, i)
    tracker.setIngressFrontier(0, 100)
    tracker.propagate()
    expect(tracker.frontier(4)).toEqual([at(0)])
    tracker.update(4, at(0), 1)
    tracker.setIngressFrontier(0, 200)
    tracker.propagate()
    for (let i = 0; i < 10; i++) {
      expect(tracker.isClosed(4, at(i))).toBe(false)
      expect(i === 0 || tracker.isClosed(4, at(i - 1))).toBe(true)
      expect(tracker.outputFrontier()).toBe(100)
      tracker.update(5, at(i), 1)
      tracker.update(4, at(i), -1)
      expect(tracker.propagate()).toEqual([4])
      tracker.update(4, at(i + 1), 1)
      tracker.update(5, at(i), -1)
      expect(tracker.propagate()).toEqual([2, 3])
    }
    tracker.update(4, at(10), -1)
    tracker.propagate()
    expect(tracker.outputFrontier()).toBe(200)
    expect(tracker.frontier(4)).toEqual([table.intern1(200, 0)])
    tracker.setIngressFrontier(0, Infinity)
    tracker.propagate()
    expect(tracker.frontier(4)).toEqual([])
    expect(tracker.isClosed(4, at(99))).toBe(true)
  })

  test('refuses what does not advance or does not fit, naming the place', () => {
    const build = (change: Partial<RegionDescription>): (() => RegionTracker) => {
      const names = ['in', 'out', 'head', 'body', 'exchange', 'back']
      return () => new RegionTracker({ ...simpleLoop, names, ...change }, new TimeTable())
    }
    const { edges } = simpleLoop
    expect(build({})).not.toThrow()
    expect(build({ edges: [...edges, { from: 4, to: 3, kind: 'identity' }] })).toThrow(/loop: body lies on a cycle that does not advance/)
    expect(build({ edges: [...edges, { from: 3, to: 3, kind: 'identity' }] })).toThrow(/does not advance/)
    expect(build({ edges: [...edges, { from: 3, to: 3, kind: 'feedback' }] })).not.toThrow()
    expect(build({ edges: [...edges, { from: 3, to: 4, kind: 'enter' }] })).toThrow(/exchange of depth 1 cannot follow depth 1 by enter/)
    expect(build({ queryPorts: [1] })).toThrow(/out is not inside a loop/)
    expect(build({ ingress: [] })).toThrow(/in of depth 0 must be an ingress or an egress/)
    expect(build({ depths: [0, 0, 1, 1, 1, 4] })).toThrow(/at most 3 deep/)
    expect(build({ edges: [{ from: 0, to: 9, kind: 'enter' }] })).toThrow(/location 9 does not exist/)
    // A cycle through both loops that only the inner loop feeds back: at the outer level it stands still.
    const outer = nestedLoop.edges.filter(({ from, to }) => !(from === 4 && to === 2))
    const still = { ...nestedLoop, edges: [...outer, { from: 4, to: 2, kind: 'identity' } as const] }
    expect(() => new RegionTracker(still, new TimeTable())).toThrow(/does not advance/)
  })

  test('a feedback of an inner loop does not advance the outer one', () => {
    const around = (kind: 'identity' | 'feedback'): RegionDescription => ({
      depths: [0, 0, 1, 2, 2, 1],
      edges: [
        { from: 0, to: 2, kind: 'enter' },
        { from: 2, to: 3, kind: 'enter' },
        { from: 3, to: 4, kind: 'feedback' },
        { from: 4, to: 5, kind: 'leave' },
        { from: 5, to: 2, kind },
        { from: 5, to: 1, kind: 'leave' },
      ],
      queryPorts: [2, 4],
      ingress: [0],
      egress: [1],
    })
    expect(() => new RegionTracker(around('identity'), new TimeTable())).toThrow(/does not advance/)
    expect(() => new RegionTracker(around('feedback'), new TimeTable())).not.toThrow()
  })

  test('a pointstamp of another depth than its location is refused', () => {
    const table = new TimeTable()
    expect(() => new RegionTracker(simpleLoop, table).update(3, table.intern2(1, 0, 0), 1)).toThrow(/invariant/)
    expect(() => new RegionTracker(simpleLoop, table).setIngressFrontier(3, 1)).toThrow(/invariant/)
    expect(() => new RegionTracker(simpleLoop, table).frontier(5)).toThrow(/only a query port/)
    expect(() => new RegionTracker(simpleLoop, table).isClosed(1, 1)).toThrow(/only a query port/)
  })
})
