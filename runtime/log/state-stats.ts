/** What an operator keeps, in numbers, for people and dashboards. Looking costs a pass over the keys. */

/** A reader's claim on a trace. */
export interface StateHolder {
  readonly name: string
  /** The least time that it may still read, in microseconds since 1970. */
  readonly time: number
}

export interface StateStats {
  /** Bytes of memory, with what is allocated ahead; without the key table and the dictionary, which are shared. */
  readonly bytes: number
  /** Keys with state; for whole rows the different rows. */
  readonly keys: number
  /** Entries under all keys: different rows, inside a loop different (row, time). */
  readonly rows: number
  /** Sealed batches that are kept for readers of earlier times, or not summed up yet. */
  readonly batches: number
  /** The least time that can be read, in microseconds; null for state that has only the present, or is inside a loop. */
  readonly since: number | null
  /** Times below are complete, in microseconds; null as above. */
  readonly upper: number | null
  readonly holders: readonly StateHolder[]
  /** Keys whose content is in the store only. */
  readonly evicted: number
  /** Whether this is the state of another app, which counts there: `bytes` is 0. */
  readonly shared: boolean
}

/** State that has only the present. */
export function presentState(bytes: number, keys: number, rows: number): StateStats {
  return { bytes, keys, rows, batches: 0, since: null, upper: null, holders: [], evicted: 0, shared: false }
}
