/**
 * Facts in a directory of one machine: a file for each epoch, begun with all facts and appended to.
 *
 * An epoch is claimed by making its claim file, which one of several can do. A writer looks for later claims *after* its batch
 * is durable: without one, whoever claims later reads the batch; with one, the write is refused.
 */
import type { Disk, DiskFile } from '../../runtime/env/disk.ts'
import { MillraceError } from '../../runtime/error.ts'
import { encodeBatch, readFacts } from './fact-file.ts'
import type { FactStore } from './fact-store.ts'
import type { Fact } from './metadata-store.ts'

const CLAIM = /^claim-(\d{12})$/
const FACTS = /^facts-(\d{12})\.log$/
/** The file is begun anew when it is this long and more than twice as long as its facts. */
const COMPACT_BYTES = 4 << 20

export class FactLog implements FactStore {
  private readonly disk: Disk
  private readonly directory: string
  /** What the claimed epoch wrote and found; null before a claim. */
  private facts: Map<string, Uint8Array> | null = null
  private file: DiskFile | null = null
  private length = 0
  private liveBytes = 0
  private epoch = -1
  /** One write at a time, in order. */
  private last: Promise<unknown> = Promise.resolve()

  constructor(disk: Disk, directory: string) {
    this.disk = disk
    this.directory = directory
  }

  /** The latest epoch that anybody claimed; 0 if nobody did. */
  async latest(): Promise<number> {
    return highest(await this.disk.list(this.directory), CLAIM)
  }

  async claim(epoch: number): Promise<void> {
    const { disk, directory } = this
    await disk.makeDirectory(directory)
    if ((await this.latest()) >= epoch) throw fenced(epoch)
    const claim = await disk.open(`${directory}/claim-${digits(epoch)}`, 'create')
    if (claim === null) throw fenced(epoch)
    await claim.close()
    await disk.syncDirectory(directory)
    this.facts = await this.newest(epoch)
    this.epoch = epoch
    await this.begin()
    await this.forget(epoch)
  }

  async read(key: string): Promise<Uint8Array | null> {
    return (this.facts ?? (await this.newest(Number.POSITIVE_INFINITY))).get(key) ?? null
  }

  async list(prefix: string): Promise<string[]> {
    const facts = this.facts ?? (await this.newest(Number.POSITIVE_INFINITY))
    return [...facts.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  write(epoch: number, facts: readonly Fact[]): Promise<void> {
    const done = this.last.then(() => this.append(epoch, facts))
    this.last = done.catch(() => undefined)
    return done
  }

  async close(): Promise<void> {
    await this.last
    await this.file?.close()
    this.file = null
    this.facts = null
    this.epoch = -1
  }

  private async append(epoch: number, facts: readonly Fact[]): Promise<void> {
    const { file } = this
    if (epoch !== this.epoch || file === null || this.facts === null) throw fenced(epoch)
    const bytes = encodeBatch(facts)
    // On failure the same place is written again: a batch behind a torn one would be lost.
    await file.write(this.length, bytes)
    await file.sync()
    if ((await this.latest()) > epoch) throw fenced(epoch)
    this.length += bytes.length
    for (const { key, value } of facts) this.put(key, value)
    if (this.length > COMPACT_BYTES && this.length > 2 * this.liveBytes) await this.begin()
  }

  private put(key: string, value: Uint8Array | null): void {
    const facts = this.facts as Map<string, Uint8Array>
    this.liveBytes += sizeOf(key, value) - sizeOf(key, facts.get(key) ?? null)
    if (value === null) facts.delete(key)
    else facts.set(key, value)
  }

  /** Puts a new file with all facts in the place of the epoch's old one. */
  private async begin(): Promise<void> {
    const { disk, directory } = this
    const facts = [...(this.facts as Map<string, Uint8Array>)].map(([key, value]) => ({ key, value }))
    const bytes = encodeBatch(facts)
    const path = `${directory}/facts-${digits(this.epoch)}.log`
    await disk.remove(`${path}.new`)
    const file = await disk.open(`${path}.new`, 'write')
    await file.write(0, bytes)
    await file.sync()
    await disk.rename(`${path}.new`, path)
    await disk.syncDirectory(directory)
    await this.file?.close()
    this.file = file
    this.length = bytes.length
    this.liveBytes = facts.reduce((sum, { key, value }) => sum + sizeOf(key, value), 0)
  }

  /** The facts of the last epoch before one that got as far as a file. */
  private async newest(before: number): Promise<Map<string, Uint8Array>> {
    const names = await this.disk.list(this.directory)
    const epochs = names.flatMap((name) => numberIn(name, FACTS) ?? []).filter((epoch) => epoch < before)
    for (const epoch of epochs.sort((a, b) => b - a)) {
      const facts = await readFacts(this.disk, `${this.directory}/facts-${digits(epoch)}.log`)
      if (facts !== null) return facts
    }
    return new Map()
  }

  private async forget(epoch: number): Promise<void> {
    for (const name of await this.disk.list(this.directory)) {
      const old = numberIn(name, CLAIM) ?? numberIn(name, FACTS)
      if (old !== null && old < epoch) await this.disk.remove(`${this.directory}/${name}`)
    }
  }
}

function sizeOf(key: string, value: Uint8Array | null): number {
  return value === null ? 0 : key.length + value.length
}

function digits(epoch: number): string {
  return String(epoch).padStart(12, '0')
}

function numberIn(name: string, pattern: RegExp): number | null {
  const match = pattern.exec(name)
  return match === null ? null : Number(match[1])
}

function highest(names: readonly string[], pattern: RegExp): number {
  return names.reduce((most, name) => Math.max(most, numberIn(name, pattern) ?? 0), 0)
}

export function fenced(epoch: number): MillraceError {
  return new MillraceError('FENCED', `epoch ${epoch} is over: somebody else leads`, 'Nothing is to be done: the new leader goes on.')
}
