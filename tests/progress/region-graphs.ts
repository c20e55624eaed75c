/** Loop regions for tests, and the definition of progress that the tracker is checked against. */
import fc from 'fast-check'
import type { RegionDescription, RegionEdge } from '../../runtime/progress/region-description.ts'

/** (outer, i1, .., id) */
export type Time = readonly number[]

export const lessEqual = (a: Time, b: Time): boolean => a.every((x, i) => x <= b[i])

export function minimal(times: readonly Time[]): Time[] {
  const distinct = [...new Map(times.map((time) => [time.join(), time])).values()]
  return distinct.filter((time) => !distinct.some((other) => other !== time && lessEqual(other, time))).sort(byCoordinates)
}

export function byCoordinates(a: Time, b: Time): number {
  return a.map((x, i) => x - b[i]).find((d) => d !== 0) ?? 0
}

export function follow(kind: RegionEdge['kind'], time: Time): Time {
  if (kind === 'enter') return [...time, 0]
  if (kind === 'leave') return time.slice(0, -1)
  if (kind === 'feedback') return time.with(-1, (time.at(-1) as number) + 1)
  return time
}

/**
 * All times that times can result in, by location, walked edge by edge, without any use of summaries. Coordinates above
 * `most` are not followed: a minimal time needs no edge twice. Without `most` (for large graphs) times beyond one that
 * was reached at the same location are not followed.
 */
export function walk(region: RegionDescription, stamps: readonly [location: number, time: Time][], most?: number): Time[][] {
  const seen = new Set<string>()
  const result: Time[][] = region.depths.map(() => [])
  const open = [...stamps]
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const [location, at] = next
    const key = `${location}:${at.join()}`
    if (seen.has(key)) continue
    if (most === undefined ? result[location].some((time) => lessEqual(time, at)) : at.slice(1).some((x) => x > most)) continue
    seen.add(key)
    result[location].push(at)
    for (const edge of region.edges) if (edge.from === location) open.push([edge.to, follow(edge.kind, at)])
  }
  return result
}

const edge = (from: number, to: number, kind: RegionEdge['kind'] = 'identity'): RegionEdge => ({ from, to, kind })

/** A loop as `iterate` makes it: ingress 0, egress 1, head 2, body 3 and 4 (an exchange target), feedback 5 to 2. */
export const simpleLoop: RegionDescription = {
  depths: [0, 0, 1, 1, 1, 1],
  edges: [edge(0, 2, 'enter'), edge(2, 3), edge(3, 4), edge(4, 5), edge(5, 2, 'feedback'), edge(4, 1, 'leave')],
  queryPorts: [2, 3, 4],
  ingress: [0],
  egress: [1],
}

/** A loop in a loop. Inner: 5, 6, 7; outer: 2, 3, 4; ingress 0 feeds the outer head, 8 goes straight to the inner body. */
export const nestedLoop: RegionDescription = {
  depths: [0, 0, 1, 1, 1, 2, 2, 2, 0],
  edges: [
    edge(0, 2, 'enter'),
    edge(2, 3),
    edge(3, 5, 'enter'),
    edge(5, 6),
    edge(6, 7),
    edge(7, 5, 'feedback'),
    edge(6, 4, 'leave'),
    edge(4, 2, 'feedback'),
    edge(4, 1, 'leave'),
    edge(8, 3, 'enter'),
  ],
  queryPorts: [2, 4, 5, 6],
  ingress: [0, 8],
  egress: [1],
}

/** Three deep: heads 2 (1), 4 (2), 6 (3); feedback at each level. */
export const deepLoop: RegionDescription = {
  depths: [0, 0, 1, 1, 2, 2, 3, 3],
  edges: [
    edge(0, 2, 'enter'),
    edge(2, 4, 'enter'),
    edge(4, 6, 'enter'),
    edge(6, 7),
    edge(7, 6, 'feedback'),
    edge(7, 5, 'leave'),
    edge(5, 4, 'feedback'),
    edge(5, 3, 'leave'),
    edge(3, 2, 'feedback'),
    edge(3, 1, 'leave'),
  ],
  queryPorts: [2, 3, 4, 5, 6, 7],
  ingress: [0],
  egress: [1],
}

/**
 * Random regions: nested loops with random chords. Locations 0 and 1 are ingress and egress. `back` edges stay in
 * their loop and are feedbacks; all others lead forward, so that every cycle advances.
 */
export const randomRegion: fc.Arbitrary<RegionDescription> = fc
  .record({
    depths: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 7 }),
    chords: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 14 }),
    ingress: fc.array(fc.nat(7), { minLength: 1, maxLength: 2 }),
    egress: fc.array(fc.nat(7), { minLength: 1, maxLength: 2 }),
    ports: fc.array(fc.nat(7), { minLength: 1, maxLength: 4 }),
  })
  .map(({ depths, chords, ingress, egress, ports }) => {
    const inner = depths.length
    const all = [0, 0, ...depths]
    const pick = (n: number): number => 2 + (n % inner)
    const edges: RegionEdge[] = []
    // An edge may change the depth by one; the rest of the way goes through locations of its own.
    const connect = (from: number, to: number): void => {
      let at = from
      while (Math.abs(all[at] - all[to]) > 1) {
        all.push(all[at] + Math.sign(all[to] - all[at]))
        edges.push({ from: at, to: all.length - 1, kind: all[all.length - 1] > all[at] ? 'enter' : 'leave' })
        at = all.length - 1
      }
      edges.push({ from: at, to, kind: all[to] > all[at] ? 'enter' : all[to] < all[at] ? 'leave' : 'identity' })
    }
    // A loop's way back must carry a feedback at the least depth that it touches: leave to that depth, feed back, enter.
    const loop = (from: number, to: number): void => {
      const least = Math.min(...all.slice(Math.min(from, to), Math.max(from, to) + 1))
      all.push(least, least)
      const [a, b] = [all.length - 2, all.length - 1]
      connect(from, a)
      edges.push({ from: a, to: b, kind: 'feedback' })
      connect(b, to)
    }
    for (const [a, b] of chords) {
      const [from, to] = [pick(a), pick(b)]
      if (from < to) connect(from, to)
      else loop(from, to)
    }
    for (const n of new Set(ingress.map(pick))) connect(0, n)
    for (const n of new Set(egress.map(pick))) connect(n, 1)
    return { depths: all, edges, queryPorts: [...new Set(ports.map(pick))], ingress: [0], egress: [1] }
  })
