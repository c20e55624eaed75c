/**
 * How a thread that has nothing to do waits, and how others wake it, without a lost wakeup and without a system call
 * when nobody sleeps.
 *
 * The one who waits says so (`WATCHING`: it looks at the doorbell; `PARKED`: it sleeps), looks once more for work, and only then
 * waits; whoever has something for it publishes that first and then looks at the doorbell. All four are sequentially
 * consistent, so at least one of the two sees the other (Dekker's argument).
 */
import type { RingAtomics } from './ring-atomics.ts'

/** Words of a doorbell: cache lines of its own. */
export const DOORBELL_WORDS = 32

const WATCHING = 1
const PARKED = 2

export class Doorbell {
  readonly words: Int32Array
  readonly index: number
  private readonly atomics: RingAtomics

  constructor(words: Int32Array, index: number, atomics: RingAtomics) {
    this.words = words
    this.index = index
    this.atomics = atomics
  }

  /** For others, after they have published something: wakes the owner if it waits or is about to. */
  ring(): void {
    const { atomics, words, index } = this
    if (atomics.load(words, index) === 0) return
    // Not what was read before: the owner may have gone to sleep since.
    const state = atomics.exchange(words, index, 0)
    if (state === PARKED) atomics.notify(words, index, 1)
  }

  /** For the owner: looks at the doorbell so many times. True if it was rung, or if there was work to begin with. */
  watch(hasWork: () => boolean, looks: number): boolean {
    const { atomics, words, index } = this
    atomics.store(words, index, WATCHING)
    let rung = hasWork()
    for (let i = 0; i < looks && !rung; i++) rung = atomics.load(words, index) === 0
    atomics.store(words, index, 0)
    return rung
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

/** How often a thread looks at its doorbell before it sleeps: some 60 us, longer than another one takes to wake. */
const SPIN_LOOKS = 20000
/** How often it looks after it has spun in vain, and before it counts as one that spins: what comes at once is not slept for. */
const GLANCES = 200
/** After so many times of spinning in vain it tries in full again. */
const PROBE_WAITS = 32

export interface SpinOptions {
  /** A word that counts the threads that spin, and how many may at one time. */
  readonly words: Int32Array
  readonly index: number
  readonly most: number
  /** Never sleeps, whoever else spins: for measurements. */
  readonly always: boolean
}

/**
 * How a dataflow thread waits: it spins for a while if not too many others do, then parks. One that spun in vain does not do it again
 * at once: the one that it waits for may need this very core.
 */
export class Waiter {
  private readonly doorbell: Doorbell
  private readonly spinning: SpinOptions
  private readonly atomics: RingAtomics
  /** Waits until it spins again. */
  private untilProbe = 0

  constructor(doorbell: Doorbell, spinning: SpinOptions, atomics: RingAtomics) {
    this.doorbell = doorbell
    this.spinning = spinning
    this.atomics = atomics
  }

  /** Returns when there is work, or, not always with work, when it was rung, slept for so long, or has watched for long. */
  wait(hasWork: () => boolean, milliseconds: number): void {
    const { doorbell } = this
    if (this.spinning.always) doorbell.watch(hasWork, SPIN_LOOKS)
    else if (doorbell.watch(hasWork, GLANCES)) this.untilProbe = 0
    else if (this.untilProbe > 0 || !this.spin(hasWork)) this.park(hasWork, milliseconds)
  }

  private spin(hasWork: () => boolean): boolean {
    const { words, index, most } = this.spinning
    const admitted = this.atomics.add(words, index, 1) < most
    const found = admitted && this.doorbell.watch(hasWork, SPIN_LOOKS)
    this.atomics.add(words, index, -1)
    if (!found) this.untilProbe = PROBE_WAITS
    return found
  }

  private park(hasWork: () => boolean, milliseconds: number): void {
    if (this.untilProbe > 0) this.untilProbe--
    this.doorbell.park(hasWork, milliseconds)
  }
}
