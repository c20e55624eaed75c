/** Keeps a number of worker processes running: one that dies is started again, later each time, until that is hopeless. */
import type { Timer, Timers } from '../../runtime/env/environment.ts'
import { EXIT_OK, EXIT_REFUSED, EXIT_USAGE } from '../exit.ts'
import type { ChildEnd } from './child.ts'

/** A child process, as the supervisor needs it. */
export interface Supervised {
  readonly pid: number | undefined
  terminate(): void
  kill(): void
}

export interface SupervisorOptions {
  readonly timers: Timers
  readonly names: readonly string[]
  /** Starts one; `onExit` is called once. */
  readonly start: (index: number, onExit: (end: ChildEnd) => void) => Supervised
  /** What happens, for people. */
  readonly onEvent: (text: string) => void
  /** None is left, and none will be started. */
  readonly onGivenUp: () => void
}

export const FIRST_RESTART_MILLISECONDS = 250
export const LAST_RESTART_MILLISECONDS = 10_000
/** A process that lived for so long was well: it is started again at once. */
export const SETTLED_MILLISECONDS = 30_000
/** Starts in a row of a process that does not settle. */
export const MAXIMUM_STARTS = 12
/** Between the request to end and force, beyond the time for the drain. */
const FORCE_MILLISECONDS = 500

interface Place {
  readonly name: string
  child: Supervised | null
  starts: number
  timer: Timer | null
  settled: Timer | null
  givenUp: boolean
}

export class Supervisor {
  private readonly options: SupervisorOptions
  private readonly places: readonly Place[]
  private stopping = false
  private onEmpty: (() => void) | null = null

  constructor(options: SupervisorOptions) {
    this.options = options
    this.places = options.names.map((name) => ({ name, child: null, starts: 0, timer: null, settled: null, givenUp: false }))
  }

  start(): void {
    for (const place of this.places) this.launch(place)
  }

  get living(): number {
    return this.places.filter(({ child }) => child !== null).length
  }

  /** Asks all to end, ends by force what has not within the time, and resolves when none is left. */
  async stop(milliseconds: number): Promise<void> {
    this.stopping = true
    for (const place of this.places) {
      place.timer?.clear()
      place.settled?.clear()
      place.child?.terminate()
    }
    if (this.living === 0) return
    const empty = new Promise<void>((resolve) => {
      this.onEmpty = resolve
    })
    const timer = this.options.timers.setTimeout(() => this.kill(), milliseconds + FORCE_MILLISECONDS)
    await empty
    timer.clear()
  }

  /** Ends all at once. */
  kill(): void {
    this.stopping = true
    for (const { child } of this.places) child?.kill()
  }

  private launch(place: Place): void {
    const { timers, start } = this.options
    place.timer = null
    place.starts++
    place.child = start(this.places.indexOf(place), (end) => this.ended(place, end))
    place.settled = timers.setTimeout(
      () => {
        place.starts = 0
      },
      SETTLED_MILLISECONDS,
      { background: true },
    )
  }

  private ended(place: Place, end: ChildEnd): void {
    const { timers, onEvent, onGivenUp } = this.options
    place.child = null
    place.settled?.clear()
    if (this.stopping) {
      if (this.living === 0) this.onEmpty?.()
      return
    }
    // It did what it was told, or cannot be what it is told to be: the same again would end the same way.
    const hopeless = end.code === EXIT_OK || end.code === EXIT_USAGE || end.code === EXIT_REFUSED
    if (hopeless || place.starts >= MAXIMUM_STARTS) {
      place.givenUp = true
      const why = hopeless ? '' : ` ${place.starts} times in a row`
      onEvent(`${place.name} ${end.text}${why}; it is not started again`)
      if (this.places.every(({ givenUp }) => givenUp)) onGivenUp()
      return
    }
    const wait = Math.min(LAST_RESTART_MILLISECONDS, FIRST_RESTART_MILLISECONDS * 2 ** Math.max(0, place.starts - 1))
    onEvent(`${place.name} ${end.text}; it is started again in ${wait < 1000 ? `${wait} ms` : `${wait / 1000} s`}`)
    place.timer = timers.setTimeout(() => this.launch(place), wait)
  }
}
