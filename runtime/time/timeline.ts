/**
 * The timeline of an embedded engine: mints the logical times of commits, in microseconds since 1970.
 *
 * Times strictly increase: max(last + 1, now). A time is minted when its first change leaves the input buffers, and
 * is handed out by the commit that closes it.
 */
import { MillraceError } from '../error.ts'

export class Timeline {
  /** Microseconds since 1970. */
  private readonly now: () => number
  private last: number
  private open = -1

  constructor(now: () => number, start: number) {
    this.now = now
    this.last = start
  }

  /** The time of the changes that are under way. */
  current(): number {
    if (this.open < 0) {
      const now = this.now()
      if (!Number.isSafeInteger(now))
        throw new MillraceError('BAD_TIME', `the clock gave ${now}`, 'A clock gives whole microseconds since 1970.')
      this.open = now > this.last ? now : this.last + 1
      if (!Number.isSafeInteger(this.open)) {
        this.open = -1
        throw new MillraceError(
          'BAD_TIME',
          `there is no time after ${this.last}`,
          'Times are safe integers: the clock has run too far ahead.',
        )
      }
    }
    return this.open
  }

  /** Ends the current time and returns it. */
  close(): number {
    const time = this.current()
    this.last = time
    this.open = -1
    return time
  }

  /** The last closed time. */
  get closed(): number {
    return this.last
  }
}
