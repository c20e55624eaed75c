/** A loop region as its dataflow on one of several workers sees it: what it is, and the global progress that it is given. */
import type { RegionDescription } from '../progress/region-description.ts'
import type { RegionTracker } from '../progress/region-tracker.ts'
import type { TimeTable } from '../time/time-table.ts'
import type { Schedulable } from './schedulable.ts'

/** Changes the count of the pointstamp (location, time id) in what this worker publishes next. */
export type RegionCount = (location: number, time: number, delta: number) => void

export interface RegionOutline {
  readonly description: RegionDescription
  /** Operators whose output is inside. */
  readonly members: ReadonlySet<Schedulable>
  /** The operators that bring rows in, and the locations where their outer times come in. */
  readonly entrances: readonly { readonly operator: Schedulable; readonly location: number }[]
  /** The operators that bring rows out, and the locations where their outer times go out. */
  readonly exits: readonly { readonly operator: Schedulable; readonly location: number }[]
}

export interface TrackedRegion {
  readonly times: TimeTable
  /** The region's graph, when all operators exist: the same on every worker. */
  outline(): RegionOutline
  /** From now on progress is global: times are complete as the tracker says, and what is held goes to `count`. */
  share(tracker: RegionTracker, count: RegionCount): void
  /** The location of an operator's output inside. */
  locationOf(operator: Schedulable): number
  /** After publication: moves all state past the outer times that are over on all workers. */
  compactShared(): void
}
