/**
 * What it takes to compute the visible times of one dataflow again: the times, and where each partition of its sources stood at
 * each of them ("reclocking", as in Materialize). Kept from R on, the least time that some follower was told; state as of R comes from
 * reading the sources up to the cuts at R.
 */
import { MillraceError } from '../runtime/error.ts'
import type { Cut, Replay } from '../runtime/protocol/control.ts'
import type { Position } from '../runtime/protocol/position.ts'
import { partitionKey } from './assignment.ts'
import type { CoordinatorLimits } from './options.ts'

/** Where one partition stood: at a time that is not listed, where it stood at the listed one before. */
interface PartitionCuts {
  readonly input: string
  readonly partition: string
  readonly times: number[]
  readonly positions: (Position | null)[]
}

/** What is stored of a log. */
export interface ReplaySnapshot {
  readonly since: number
  readonly times: readonly number[]
  readonly cuts: readonly Cut[]
}

export class ReplayLog {
  private readonly limits: Pick<CoordinatorLimits, 'maximumReplayTimes' | 'maximumReplayCuts'>
  private start: number
  private times: number[] = []
  private readonly partitions = new Map<string, PartitionCuts>()

  /** @param since nothing happened at or before it */
  constructor(since: number, limits: Pick<CoordinatorLimits, 'maximumReplayTimes' | 'maximumReplayCuts'>) {
    this.start = since
    this.limits = limits
  }

  static restore(snapshot: ReplaySnapshot, limits: Pick<CoordinatorLimits, 'maximumReplayTimes' | 'maximumReplayCuts'>): ReplayLog {
    const log = new ReplayLog(snapshot.since, limits)
    for (const cut of snapshot.cuts) log.addCut(cut)
    log.times = [...snapshot.times]
    return log
  }

  /** The last visible time; before the first one, the time since which there is anything. */
  get visible(): number {
    return this.times.length === 0 ? this.start : this.times[this.times.length - 1]
  }

  /** A replay has nothing at or before it. */
  get since(): number {
    return this.times.length === 0 ? this.start : this.times[0] - 1
  }

  /** R; null before the first visible time. */
  get first(): number | null {
    return this.times.length === 0 ? null : this.times[0]
  }

  get length(): number {
    return this.times.length
  }

  /**
   * Takes a cut at a time that is not visible yet. What is said again of a visible time must be what was known of it.
   * @throws MillraceError PROTOCOL if it is not
   */
  addCut(cut: Cut): void {
    const { input, partition, time, position } = cut
    const key = partitionKey(input, partition)
    let known = this.partitions.get(key)
    const at = known === undefined ? -1 : lastAtOrBefore(known.times, time)
    if (this.times.length > 0 && time <= this.visible) {
      const before = known === undefined || at === -1 ? null : known.positions[at]
      if (time < this.times[0] || JSON.stringify(before) === JSON.stringify(position)) return
      throw new MillraceError('PROTOCOL', `a cut of ${input} ${partition} at ${time}, which is visible, comes late`)
    }
    if (known === undefined) {
      known = { input, partition, times: [], positions: [] }
      this.partitions.set(key, known)
    }
    if (at !== -1 && known.times[at] === time) {
      known.positions[at] = position
      return
    }
    known.times.splice(at + 1, 0, time)
    known.positions.splice(at + 1, 0, position)
  }

  /** Ascending minted times, all above the visible ones: all cuts at or before them are known. */
  makeVisible(times: readonly number[]): void {
    for (const time of times) this.times.push(time)
  }

  /**
   * Forgets what nobody needs: times before the greatest one at or before `told`, which all followers were told; and, above the bounds,
   * the oldest times, needed or not. Whoever held those back is given up: it finds its time gone.
   */
  trim(told: number): void {
    const { maximumReplayTimes, maximumReplayCuts } = this.limits
    let drop = Math.max(0, lastAtOrBefore(this.times, told))
    drop = Math.max(drop, this.times.length - maximumReplayTimes)
    drop = Math.max(drop, this.times.length - Math.max(1, Math.floor(maximumReplayCuts / Math.max(1, this.partitions.size))))
    if (drop > 0) this.dropTimes(drop)
  }

  /** What was minted and not visible never was. */
  forgetOpen(): void {
    const { visible } = this
    for (const [key, known] of this.partitions) {
      const keep = lastAtOrBefore(known.times, visible) + 1
      known.times.length = keep
      known.positions.length = keep
      if (keep === 0) this.partitions.delete(key)
    }
  }

  /**
   * The times that were visible are lost, or some of what belongs to them: all that is known to have been read is put under one
   * later time, and whoever was told an earlier one begins anew.
   */
  beginAt(time: number): void {
    for (const known of this.partitions.values()) {
      const position = known.positions[known.positions.length - 1]
      known.times.splice(0, known.times.length, time)
      known.positions.splice(0, known.positions.length, position)
    }
    this.start = time - 1
    this.times = this.partitions.size === 0 ? [] : [time]
    if (this.partitions.size === 0) this.start = time
  }

  replay(): Replay {
    return { times: [...this.times], cuts: this.cuts() }
  }

  snapshot(): ReplaySnapshot {
    return { since: this.start, times: [...this.times], cuts: this.cuts() }
  }

  /** Of visible times. */
  private cuts(): Cut[] {
    const cuts: Cut[] = []
    for (const { input, partition, times, positions } of this.partitions.values())
      for (const time of this.times) {
        const at = lastAtOrBefore(times, time)
        if (at !== -1) cuts.push({ input, partition, time, position: positions[at] })
      }
    return cuts
  }

  /** Of partitions that moved, at minted times from one to another. */
  cutsBetween(first: number, last: number): Cut[] {
    const cuts: Cut[] = []
    for (const { input, partition, times, positions } of this.partitions.values())
      for (let i = times.length - 1; i >= 0 && times[i] >= first; i--)
        if (times[i] <= last) cuts.push({ input, partition, time: times[i], position: positions[i] })
    return cuts
  }

  private dropTimes(count: number): void {
    this.times.splice(0, count)
    const [first] = this.times
    for (const { times, positions } of this.partitions.values()) {
      const at = lastAtOrBefore(times, first)
      if (at < 1) continue
      times.splice(0, at)
      positions.splice(0, at)
    }
  }
}

/** The index of the greatest of ascending numbers that is at or before one; -1 if there is none. */
export function lastAtOrBefore(ascending: readonly number[], time: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ascending[middle] <= time) low = middle + 1
    else high = middle
  }
  return low - 1
}
