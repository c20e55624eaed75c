/**
 * How a thread that has nothing to do waits, and how others wake it, without a lost wakeup and without a system call
 * when nobody sleeps.
 *
 * The one who waits says so (`parked`), looks again, and only then sleeps; whoever has something for it publishes that first and
 * then looks at `parked`. All four are sequentially consistent, so at least one of the two sees the other (Dekker's argument).
 */
import type { RingAtomics } from './ring-atomics.ts'

/** Words of a doorbell: cache lines of its own. */
export const DOORBELL_WORDS = 32

const PARKED = 1

export class Doorbell {
  readonly words: Int32Array
  readonly index: number
  private readonly atomics: RingAtomics

  constructor(words: Int32Array, index: number, atomics: RingAtomics) {
    this.words = words
    this.index = index
    this.atomics = atomics
  }

  /** For others, after they have published something: wakes the owner if it sleeps or is about to. */
  ring(): void {
    const { atomics, words, index } = this
    if (atomics.load(words, index) !== PARKED) return
    atomics.store(words, index, 0)
    atomics.notify(words, index, 1)
  }

  /** For the owner: sleeps until it is rung, unless `hasWork` says that there is something already. */
  park(hasWork: () => boolean, milliseconds: number): void {
    if (!this.announce(hasWork)) return
    this.atomics.wait(this.words, this.index, PARKED, milliseconds)
    this.atomics.store(this.words, this.index, 0)
  }

  /**
   * The first half of `park`, for an owner that cannot block: true if it may go to sleep, until the word is no longer `PARKED_VALUE`.
   * From then on it is rung. False, and nothing is to be waited for, if there is work.
   */
  announce(hasWork: () => boolean): boolean {
    this.atomics.store(this.words, this.index, PARKED)
    if (!hasWork()) return true
    this.atomics.store(this.words, this.index, 0)
    return false
  }
}

/** What an owner that cannot block waits to change, see `announce`. */
export const PARKED_VALUE = PARKED

/** How often a thread looks for work before it sleeps: about 20 us with a few rings. */
const SPIN_ROUNDS = 2000

export interface SpinOptions {
  /** A word that counts the threads that spin, and how many may at one time. */
  readonly words: Int32Array
  readonly index: number
  readonly most: number
  /** Never sleeps, whoever else spins: for measurements. */
  readonly always: boolean
}

/** How a dataflow thread waits: it spins for a while if not too many others do, then parks. */
export class Waiter {
  private readonly doorbell: Doorbell
  private readonly spinning: SpinOptions
  private readonly atomics: RingAtomics

  constructor(doorbell: Doorbell, spinning: SpinOptions, atomics: RingAtomics) {
    this.doorbell = doorbell
    this.spinning = spinning
    this.atomics = atomics
  }

  /** Returns when there is work, or, not always with work, once it was rung or slept for so long. */
  wait(hasWork: () => boolean, milliseconds: number): void {
    if (this.spinning.always) {
      // For ever, if need be: a thread is ended from outside however busy it is.
      while (!hasWork());
      return
    }
    if (!this.spin(hasWork)) this.doorbell.park(hasWork, milliseconds)
  }

  private spin(hasWork: () => boolean): boolean {
    const { words, index, most } = this.spinning
    let found = false
    if (this.atomics.add(words, index, 1) < most) for (let round = 0; round < SPIN_ROUNDS && !found; round++) found = hasWork()
    this.atomics.add(words, index, -1)
    return found
  }
}
