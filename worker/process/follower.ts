/**
 * One follower of an output: a bounded queue between the changes, which come when they come, and a reader who takes its time.
 *
 * A snapshot is told in pages as the reader takes them, while later changes wait in the queue. A reader for which too
 * much waits is ended and told so; nothing is ever left out silently.
 */
import { MillraceError } from '../../runtime/error.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import type { ChangesEvent, FollowEvent } from './follow-event.ts'
import { Unavailable } from './gateway-error.ts'

/** Bytes of changes that may wait for one follower. A single larger time goes whole to one that has read all before. */
export const FOLLOWER_QUEUE_BYTES = 1 << 20

/** Rows of one event of a snapshot. */
export const PAGE_ROWS = 1000

/** All rows as of a time; followers that begin at one time share them. */
export interface SharedSnapshot {
  /** Rejects with BAD_TIME if the time is not kept any more, Unavailable to be asked again. */
  readonly rows: Promise<readonly CountedRow[]>
  /** To be called once by each who got it, when it is done with it. */
  release(): void
}

/** What a follower needs of whoever feeds it. */
export interface FollowerHost {
  snapshot(time: number): SharedSnapshot
  /** The time up to which changes were put into the queue; null while that is not known. */
  readonly released: number | null
  /** Resolves after a moment. */
  pause(): Promise<void>
  readonly queueBytes: number
  onGone(follower: Follower): void
}

export interface FollowerWish {
  /** First the rows that are there. */
  readonly snapshot: boolean
  /** The time that it has already: changes after it are missing; null if it has nothing. */
  readonly after: number | null
}

/** How often a snapshot is asked for, in vain or since its time was forgotten meanwhile. */
const SNAPSHOT_ATTEMPTS = 100

interface Snapshot {
  readonly time: number
  shared: SharedSnapshot | null
  /** Rows that were told. */
  told: number
}

export class Follower {
  /** What it asked for; once it was reset it has nothing. */
  wish: FollowerWish
  private readonly host: FollowerHost
  private readonly keepsRows: boolean
  /** What comes before a snapshot and before the queue. */
  private notices: FollowEvent[] = []
  private snapshot: Snapshot | null = null
  private queue: ChangesEvent[] = []
  private bytes = 0
  /** Changes up to here are not told any more. */
  private has = Number.NEGATIVE_INFINITY
  private begun = false
  private last: FollowEvent | null = null
  private isOver = false
  private attempts = 0
  private wake: (() => void) | null = null

  constructor(host: FollowerHost, wish: FollowerWish, keepsRows: boolean) {
    this.host = host
    this.wish = wish
    this.keepsRows = keepsRows
  }

  /** Bytes that wait for it. */
  get waitingBytes(): number {
    return this.bytes
  }

  /** Whether it was told where it starts. */
  get isPlaced(): boolean {
    return this.begun
  }

  // ---- for the reader

  /** What comes next; null after the end. One call at a time. */
  async next(): Promise<FollowEvent | null> {
    for (;;) {
      const notice = this.notices.shift()
      if (notice !== undefined) return notice
      if (this.snapshot !== null) {
        const event = await this.page(this.snapshot)
        if (event !== null) return event
        continue
      }
      const changes = this.queue.shift()
      if (changes !== undefined) {
        this.bytes -= changes.bytes
        return changes
      }
      if (this.last !== null) {
        const last = this.last
        this.last = null
        return last
      }
      if (this.isOver) return null
      await this.whenStirred()
    }
  }

  /** The reader is gone. */
  cancel(): void {
    this.finish(null)
  }

  // ---- for the subscription

  /** Changes after a time follow; with a snapshot as of it first, if it has to have one. */
  start(time: number, snapshot: boolean): void {
    this.begun = true
    this.has = time
    if (snapshot && this.keepsRows) this.snapshot = { time, shared: null, told: 0 }
    else this.notices.push({ kind: 'start', time })
    this.stir()
  }

  add(event: ChangesEvent): void {
    if (this.isOver || !this.begun || event.time <= this.has) return
    this.has = event.time
    if (this.queue.length > 0 && this.bytes + event.bytes > this.host.queueBytes) {
      const message = `more than ${this.host.queueBytes} bytes of changes were waiting to be read; changes are missing from here on`
      this.end(new MillraceError('OVERFLOW', message, 'Follow again, with a snapshot.'))
      return
    }
    this.queue.push(event)
    this.bytes += event.bytes
    this.stir()
  }

  /** Changes were lost: it starts anew, as soon as `start` is called. */
  reset(reason: string): void {
    const hadSomething = this.begun || this.wish.after !== null
    this.wish = { snapshot: true, after: null }
    this.clear()
    this.begun = false
    if (hadSomething) this.notices.push({ kind: 'reset', reason })
    this.stir()
  }

  /** Nothing comes any more; what waits in the queue is read first, unless it overflowed. */
  end(error: MillraceError): void {
    this.finish({ kind: 'end', code: error.code, message: error.message })
  }

  private finish(last: FollowEvent | null): void {
    if (this.isOver) return
    this.isOver = true
    this.last = last
    if (last === null || (last.kind === 'end' && last.code === 'OVERFLOW')) this.clear()
    this.host.onGone(this)
    this.stir()
  }

  private clear(): void {
    this.notices = []
    this.dropSnapshot()
    this.queue = []
    this.bytes = 0
  }

  private stir(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }

  private whenStirred(): Promise<null> {
    return new Promise((resolve) => {
      this.wake = () => resolve(null)
    })
  }

  private dropSnapshot(): void {
    this.snapshot?.shared?.release()
    this.snapshot = null
  }

  /** The next page of a snapshot; null if there was something else to do. */
  private async page(snapshot: Snapshot): Promise<FollowEvent | null> {
    let rows: readonly CountedRow[] | null
    try {
      snapshot.shared ??= this.host.snapshot(snapshot.time)
      rows = await Promise.race([snapshot.shared.rows, this.whenStirred()])
    } catch (error) {
      if (this.snapshot === snapshot) await this.again(snapshot, error)
      return null
    }
    // A reset, or the end, may have come meanwhile; or just changes, for the queue.
    if (this.snapshot !== snapshot || rows === null) return null
    const page = rows.slice(snapshot.told, snapshot.told + PAGE_ROWS)
    snapshot.told += page.length
    const last = snapshot.told >= rows.length
    if (last) {
      this.dropSnapshot()
      this.attempts = 0
    }
    return { kind: 'snapshot', time: snapshot.time, rows: page, last }
  }

  /** A snapshot could not be had: as of a later time, or in a moment, perhaps. */
  private async again(snapshot: Snapshot, error: unknown): Promise<void> {
    const isForgotten = error instanceof MillraceError && error.code === 'BAD_TIME' && !(error instanceof Unavailable)
    if (!(isForgotten || error instanceof Unavailable) || ++this.attempts > SNAPSHOT_ATTEMPTS) {
      this.failed(error)
      return
    }
    snapshot.shared?.release()
    snapshot.shared = null
    const { released } = this.host
    if (isForgotten && released !== null && released > snapshot.time) this.startAgain(released)
    else await Promise.race([this.host.pause(), this.whenStirred()])
  }

  /** A snapshot as of a later time; changes up to it are in it. */
  private startAgain(time: number): void {
    this.snapshot = { time, shared: null, told: 0 }
    this.queue = this.queue.filter((event) => event.time > time)
    this.bytes = this.queue.reduce((sum, event) => sum + event.bytes, 0)
    this.has = Math.max(this.has, time)
  }

  private failed(error: unknown): void {
    this.clear()
    this.end(error instanceof MillraceError ? error : new MillraceError('INVARIANT', String(error)))
  }
}
