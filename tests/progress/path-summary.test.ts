import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  applySummary,
  compose,
  edgeSummary,
  insertSummary,
  type PathSummary,
  summaryLessEqual,
} from '../../runtime/progress/path-summary.ts'
import { summariesTo } from '../../runtime/progress/region-description.ts'
import { TimeTable } from '../../runtime/time/time-table.ts'
import { deepLoop, follow, lessEqual, minimal, nestedLoop, randomRegion, simpleLoop, type Time, walk } from './region-graphs.ts'

const table = new TimeTable()
const toId = (time: Time): number => (time.length === 1 ? time[0] : table.intern(time[0], time.slice(1)))
const toTime = (id: number, depth: number): Time =>
  depth === 0 ? [id] : [table.outer(id), ...Array.from({ length: depth }, (_, i) => table.coordinate(id, i + 1))]

/** All times of a depth with coordinates below `below`, at one outer time. */
function cube(depth: number, below: number): Time[] {
  let times: Time[] = [[3]]
  for (let level = 0; level < depth; level++) times = times.flatMap((time) => Array.from({ length: below }, (_, i) => [...time, i]))
  return times
}

/** All summaries between two depths with additions and constants up to `most`. */
function summaries(from: number, to: number, most: number): PathSummary[] {
  const all: PathSummary[] = []
  for (let kept = 0; kept <= Math.min(from, to); kept++)
    for (const [, first = 0, second = 0, third = 0] of cube(to, most + 1)) all.push({ from, kept, to, first, second, third })
  return all
}

/** Paths of edges that can follow one another, from a depth. */
const kinds = fc.array(fc.constantFrom('identity', 'enter', 'leave', 'feedback'), { maxLength: 12 })

describe('path summaries', () => {
  test('the summary of a path does to a time what its edges do', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.array(fc.nat(4), { minLength: 4, maxLength: 4 }),
        kinds,
        fc.nat(12),
        (depth, coords, path, cut) => {
          const start: Time = coords.slice(0, depth + 1)
          let time = start
          const steps: PathSummary[] = []
          for (const kind of path) {
            const at = time.length - 1
            if ((kind === 'enter' && at === 3) || ((kind === 'leave' || kind === 'feedback') && at === 0)) continue
            steps.push(edgeSummary(kind, at))
            time = follow(kind, time)
          }
          const fold = (part: PathSummary[], from: number): PathSummary => part.reduce(compose, edgeSummary('identity', from))
          const whole = fold(steps, depth)
          expect(toTime(applySummary(table, whole, toId(start)), time.length - 1)).toEqual(time)
          // Associative: any grouping is the same record.
          const left = fold(steps.slice(0, cut), depth)
          expect(compose(left, fold(steps.slice(cut), left.to))).toEqual(whole)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('lessEqual is the pointwise order, for all small summaries', () => {
    let pairs = 0
    for (let from = 0; from <= 3; from++)
      for (let to = 0; to <= 3; to++) {
        const times = cube(from, 4)
        const most = to === 3 ? 1 : 2
        const all = summaries(from, to, most).map((path) => ({
          path,
          results: times.map((time) => toTime(applySummary(table, path, toId(time)), to)),
        }))
        for (const a of all)
          for (const b of all) {
            pairs++
            const pointwise = a.results.every((time, i) => lessEqual(time, b.results[i]))
            if (summaryLessEqual(a.path, b.path) !== pointwise)
              expect.fail(`${JSON.stringify(a.path)} ${JSON.stringify(b.path)} ${pointwise}`)
          }
      }
    expect(pairs).toBeGreaterThan(3_000)
  })

  test('insertSummary keeps exactly the minimal ones', () => {
    const any = fc
      .tuple(fc.nat(2), fc.nat(2), fc.nat(2))
      .map(([kept, first, second]) => ({ from: 2, kept, to: 2, first, second, third: 0 }))
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), (paths) => {
        const set: PathSummary[] = []
        for (const path of paths) {
          const covered = set.some((other) => summaryLessEqual(other, path))
          expect(insertSummary(set, path)).toBe(!covered)
        }
        for (const path of paths) expect(set.some((other) => summaryLessEqual(other, path))).toBe(true)
        for (const a of set) for (const b of set) if (a !== b) expect(summaryLessEqual(a, b)).toBe(false)
      }),
    )
  })

  test('the summaries of a region give the times that walking it gives', () => {
    const check = (region: typeof simpleLoop, time: Time, most?: number): void => {
      for (let port = 0; port < region.depths.length; port++) {
        const found = summariesTo(region, port)
        for (let location = 0; location < region.depths.length; location++) {
          const start = time.slice(0, region.depths[location] + 1)
          const applied = found[location].map((path) => toTime(applySummary(table, path, toId(start)), region.depths[port]))
          expect(minimal(applied)).toEqual(minimal(walk(region, [[location, start]], most)[port]))
        }
      }
    }
    for (const region of [simpleLoop, nestedLoop, deepLoop]) for (const [, ...inner] of cube(3, 3)) check(region, [9, ...inner], 5)
    fc.assert(
      fc.property(randomRegion, fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }), (region, inner) => check(region, [9, ...inner])),
      { numRuns: 40 },
    )
  })
})
