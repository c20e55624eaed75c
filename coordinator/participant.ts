/** A living process as the coordinator knows it. */
import type { Timer } from '../runtime/env/environment.ts'
import type { FromCoordinator, Hello, ProcessStats } from '../runtime/protocol/control.ts'
import type { ProtocolRange } from '../runtime/protocol/version.ts'
import type { WorkerRange } from './placement.ts'
import type { Session } from './session.ts'

export class Participant {
  readonly id: string
  readonly name: string
  readonly group: string
  readonly threads: number
  readonly address: string
  readonly admin: string | null
  readonly version: string
  readonly protocol: ProtocolRange
  /** Grows with each process that joins. */
  readonly order: number
  /** Null while it has no connection. */
  session: Session | null
  /** Until it is lost, while it has no connection. */
  grace: Timer | null = null
  /** Why it had to wait for another connection the last time. */
  broken = ''
  /** Monotonic, microseconds. */
  heardAt: number
  leaseUntil: number
  stats: ProcessStats | null = null
  /** It wants to go, or is to go. */
  leaving = false
  /** It was told that it may go. */
  released = false
  exclusion: Exclusion | null = null

  constructor(hello: Hello, order: number, session: Session, now: number) {
    this.id = hello.process
    this.name = hello.name
    this.group = hello.group
    this.threads = hello.threads
    this.address = hello.address
    this.admin = hello.admin
    this.version = hello.version
    this.protocol = hello.protocol
    this.order = order
    this.session = session
    this.heardAt = now
    this.leaseUntil = now
  }

  send(message: FromCoordinator): void {
    this.session?.send(message)
  }

  /** Whether it can be a member of a new generation. */
  isReady(now: number): boolean {
    return this.session !== null && !this.leaving && (this.exclusion === null || now >= this.exclusion.until)
  }

  range(first: number): WorkerRange {
    return { process: this.id, first, threads: this.threads }
  }
}

/** It was left out of a generation, and is of the next one again after a while. */
export interface Exclusion {
  /** Monotonic, microseconds. */
  readonly until: number
  readonly reason: string
  /** How often in a row. */
  readonly times: number
}
