/**
 * Path summaries: what happens at least to a time on its way along a path (Naiad, SOSP 2013, section 2.3), in normal
 * form, so that any path through nested loops is one small record.
 */
import { invariant } from '../error.ts'
import { MAX_DEPTH, type TimeTable } from '../time/time-table.ts'

/**
 * From a location of depth `from` to one of depth `to`: the coordinates of levels 1 to `kept` are kept (the path
 * leaves `from - kept` levels), those above are new (it enters `to - kept` levels); `first`, `second`, `third` are
 * added to the kept ones and are the values of the new ones, and 0 beyond `to`. The outer time never changes.
 */
export interface PathSummary {
  readonly from: number
  readonly kept: number
  readonly to: number
  readonly first: number
  readonly second: number
  readonly third: number
}

export type EdgeKind = 'identity' | 'enter' | 'leave' | 'feedback'

/** The summary of one edge that starts at a location of depth `from`. Feedback adds 1 to the last coordinate. */
export function edgeSummary(kind: EdgeKind, from: number): PathSummary {
  switch (kind) {
    case 'identity':
      return summary(from, from, from, 0, 0, 0)
    case 'enter':
      invariant(from < MAX_DEPTH, `loops nest at most ${MAX_DEPTH} deep`)
      return summary(from, from, from + 1, 0, 0, 0)
    case 'leave':
      invariant(from > 0, 'only a loop can be left')
      return summary(from, from - 1, from - 1, 0, 0, 0)
    case 'feedback':
      invariant(from > 0, 'feedback only exists in a loop')
      return summary(from, from, from, from === 1 ? 1 : 0, from === 2 ? 1 : 0, from === 3 ? 1 : 0)
  }
}

/** First one path, then another that starts where it ends. */
export function compose(path: PathSummary, next: PathSummary): PathSummary {
  invariant(path.to === next.from, 'the second path starts where the first ends')
  const { kept } = next
  return summary(
    path.from,
    Math.min(path.kept, kept),
    next.to,
    next.first + (kept >= 1 ? path.first : 0),
    next.second + (kept >= 2 ? path.second : 0),
    next.third + (kept >= 3 ? path.third : 0),
  )
}

/**
 * Whether a(t) <= b(t) for every time t. Between the same two depths: coordinates start at 0 and have no bound, so a
 * kept coordinate is beyond no constant, and a constant is at or before a kept one exactly if it is for t = 0.
 */
export function summaryLessEqual(a: PathSummary, b: PathSummary): boolean {
  return a.kept <= b.kept && a.first <= b.first && a.second <= b.second && a.third <= b.third
}

/** The time at the end of the path; outer times at depth 0, time ids inside. */
export function applySummary(table: TimeTable, path: PathSummary, time: number): number {
  if (path.to === 0) return path.from === 0 ? time : table.outer(time)
  const outer = path.from === 0 ? time : table.outer(time)
  return table.internDepth(
    path.to,
    outer,
    path.first + (path.kept >= 1 ? table.coordinate(time, 1) : 0),
    path.second + (path.kept >= 2 ? table.coordinate(time, 2) : 0),
    path.third + (path.kept >= 3 ? table.coordinate(time, 3) : 0),
  )
}

/** Adds a summary to a minimal set of them (same depths) unless one is at or below it. Whether it was added. */
export function insertSummary(set: PathSummary[], path: PathSummary): boolean {
  for (let i = 0; i < set.length; i++) if (summaryLessEqual(set[i], path)) return false
  let kept = 0
  for (let i = 0; i < set.length; i++) if (!summaryLessEqual(path, set[i])) set[kept++] = set[i]
  set.length = kept
  set.push(path)
  return true
}

function summary(from: number, kept: number, to: number, first: number, second: number, third: number): PathSummary {
  return { from, kept, to, first, second, third }
}
