/**
 * Metadata in a directory, for a cluster whose coordinators run on one machine. Crash-safe. The lease is a file with the wall
 * clock's time at which it expires; should the clock jump, it counts as expired when nobody has renewed it for its length. It names the
 * process that holds it, and is free when that one is known to have ended: a coordinator that was killed and starts again need not wait.
 */
import type { Environment } from '../../runtime/env/environment.ts'
import { noProcessMarks, type ProcessMarks } from '../../runtime/env/process-marks.ts'
import { MillraceError } from '../../runtime/error.ts'
import { FactLog } from './fact-log.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata-store.ts'
import { wholeFile } from './whole-file.ts'

interface LeaseFile {
  readonly epoch: number
  readonly holder: Holder
  /** Grows with each renewal. */
  readonly beat: number
  /** Microseconds since 1970. */
  readonly expires: number
  /** Of the holder's process; not there in files of earlier releases. */
  readonly process?: string | null
}

export class LocalStore implements MetadataStore {
  private readonly environment: Environment
  private readonly directory: string
  private readonly processes: ProcessMarks
  private readonly facts: FactLog
  private beat = 0
  /** The lease of somebody else as it was first seen, on the monotonic clock. */
  private seen: { readonly text: string; readonly at: number } | null = null

  constructor(environment: Environment, directory: string, processes: ProcessMarks = noProcessMarks) {
    this.environment = environment
    this.directory = directory
    this.processes = processes
    this.facts = new FactLog(environment.disk, directory)
  }

  async acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    const { clock, disk } = this.environment
    await disk.makeDirectory(this.directory)
    const text = await this.leaseText()
    const held = parsed(text)
    const isOurs = held !== null && held.holder.id === holder.id
    if (text !== '' && !isOurs) {
      if (this.seen?.text !== text) this.seen = { text, at: clock.monotonic() }
      const isUnchanged = clock.monotonic() - this.seen.at >= milliseconds * 1000
      const isExpired = held !== null && clock.now() > held.expires
      if (!isExpired && !isUnchanged && !(await this.hasEnded(held))) return null
    }
    const lease: Lease = { holder, epoch: Math.max(await this.facts.latest(), held?.epoch ?? 0) + 1 }
    try {
      await this.facts.claim(lease.epoch)
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'FENCED') return null
      throw error
    }
    await this.writeLease(lease, milliseconds)
    return lease
  }

  async renew(lease: Lease, milliseconds: number): Promise<boolean> {
    if ((await this.facts.latest()) !== lease.epoch) return false
    await this.writeLease(lease, milliseconds)
    return (await this.facts.latest()) === lease.epoch
  }

  async release(lease: Lease): Promise<void> {
    if ((await this.facts.latest()) === lease.epoch) await this.environment.disk.remove(this.leasePath)
  }

  async leader(): Promise<Holder | null> {
    const held = parsed(await this.leaseText())
    return held === null || this.environment.clock.now() > held.expires ? null : held.holder
  }

  read(key: string): Promise<Uint8Array | null> {
    return this.facts.read(key)
  }

  list(prefix: string): Promise<string[]> {
    return this.facts.list(prefix)
  }

  write(lease: Lease, facts: readonly Fact[]): Promise<void> {
    return this.facts.write(lease.epoch, facts)
  }

  close(): Promise<void> {
    return this.facts.close()
  }

  private get leasePath(): string {
    return `${this.directory}/lease.json`
  }

  private async hasEnded(held: LeaseFile | null): Promise<boolean> {
    return typeof held?.process === 'string' && (await this.processes.hasEnded(held.process))
  }

  private async leaseText(): Promise<string> {
    const bytes = await wholeFile(this.environment.disk, this.leasePath)
    return bytes === null ? '' : new TextDecoder().decode(bytes)
  }

  private async writeLease(lease: Lease, milliseconds: number): Promise<void> {
    const { clock, disk } = this.environment
    const content: LeaseFile = { ...lease, beat: ++this.beat, expires: clock.now() + milliseconds * 1000, process: this.processes.own }
    const path = `${this.leasePath}.${lease.epoch}`
    await disk.remove(path)
    const file = await disk.open(path, 'write')
    await file.write(0, new TextEncoder().encode(JSON.stringify(content)))
    await file.close()
    await disk.rename(path, this.leasePath)
  }
}

/** Null for a file that a crash tore. */
function parsed(text: string): LeaseFile | null {
  try {
    return text === '' ? null : (JSON.parse(text) as LeaseFile)
  } catch {
    return null
  }
}
