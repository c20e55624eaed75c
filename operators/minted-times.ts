/**
 * Which logical times exist: what takes effect with time alone does so at the first minted time at or after it is due.
 *
 * An operator sees times by the changes it gets, and by its frontier. Whatever mints times (a commit, a tick of an idle
 * system) closes each by moving frontiers right behind it.
 */
export interface MintedTimes {
  /** The least minted time that is later than `after` and closed by a frontier of `frontier`; Infinity if there is none. */
  next(after: number, frontier: number): number
}

/** A frontier's step from a to b closes one minted time: b - 1. */
export const mintedByFrontier: MintedTimes = {
  next(after, frontier) {
    return Number.isSafeInteger(frontier) && frontier - 1 > after ? frontier - 1 : Number.POSITIVE_INFINITY
  },
}
