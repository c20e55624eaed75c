/** A disk in memory, with inodes, that can crash, fill up, read short and fail. */
import { MillraceError } from '../error.ts'
import type { Disk, DiskFile, FileStat } from './disk.ts'
import type { Clock } from './environment.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimulatedInode } from './simulated-inode.ts'

export interface DiskFaults {
  /** Reads give from one byte up to what was asked, by the seed. */
  shortReads?: boolean
  /** A crash may keep part of an unsynced write. Default true. */
  tornWrites?: boolean
  /** Bytes all files may hold; a write beyond them fails as on a full disk. */
  capacity?: number
  /** The most turns of the promise queue that an operation takes, by the seed: interleaves what runs at the same time. Default 0. */
  turns?: number
  /** The most milliseconds that an operation of a simulated host takes, by the seed: so that a crash can come between two. Default 0. */
  delay?: number
  /** Throws from here make an operation fail. */
  fail?: (operation: string, path: string) => void
}

/** A change of the directory tree: `inode` null takes the path away. */
interface Naming {
  readonly path: string
  readonly inode: SimulatedInode | null
}

export class SimulatedDisk implements Disk {
  /** May be changed at any time. */
  readonly faults: DiskFaults
  /** Grows with each crash: handles opened before are dead. */
  life = 0
  private readonly clock: Clock
  private readonly random: SeededRandom
  private inodes = 0
  private modified = 0
  private readonly names = new Map<string, SimulatedInode>()
  private readonly durable = new Map<string, SimulatedInode>()
  /** Steps of the tree since the last directory sync; those of one step survive a crash together. */
  private unsynced: Naming[][] = []

  constructor(clock: Clock, random: SeededRandom, faults: DiskFaults) {
    this.clock = clock
    this.random = random
    this.faults = faults
  }

  open(path: string, mode: 'read' | 'create'): Promise<DiskFile | null>
  open(path: string, mode: 'write'): Promise<DiskFile>
  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile | null> {
    const key = await this.enter('open', path)
    let inode = this.names.get(key)
    if (inode !== undefined && mode === 'create') return null
    if (inode === undefined) {
      if (mode === 'read') return null
      inode = new SimulatedInode(`simulated:${++this.inodes}`, this.touch())
      this.name([{ path: key, inode }])
    }
    return new SimulatedFile(this, inode, path)
  }

  async stat(path: string): Promise<FileStat | null> {
    const inode = this.names.get(await this.enter('stat', path))
    return inode === undefined ? null : fileStat(inode)
  }

  async list(directory: string): Promise<string[]> {
    const key = await this.enter('list', directory)
    const prefix = key === '/' ? '/' : `${key}/`
    const names = new Set<string>()
    for (const path of this.names.keys()) if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/', 1)[0])
    return [...names].sort()
  }

  async rename(from: string, to: string): Promise<void> {
    const source = await this.enter('rename', from)
    const inode = this.names.get(source)
    if (inode === undefined) throw new MillraceError('STORE', `cannot rename ${from}: there is no such file`)
    this.name([
      { path: source, inode: null },
      { path: normalized(to), inode },
    ])
  }

  async remove(path: string): Promise<void> {
    const key = await this.enter('remove', path)
    if (this.names.has(key)) this.name([{ path: key, inode: null }])
  }

  /** Directories exist as soon as a file is in them. */
  async makeDirectory(path: string): Promise<void> {
    await this.enter('make directory', path)
  }

  /** Makes the whole tree's changes durable, as a journaling file system's commit does. */
  async syncDirectory(path: string): Promise<void> {
    await this.enter('sync directory', path)
    for (const step of this.unsynced) apply(this.durable, step)
    this.unsynced = []
  }

  /**
   * The machine stops and starts again: unsynced writes are kept, torn or lost, and of the unsynced steps of the tree
   * the first few survive (metadata is journaled in order). Open handles are dead.
   */
  crash(): void {
    this.life++
    for (const step of this.unsynced.slice(0, this.random.below(this.unsynced.length + 1))) apply(this.durable, step)
    this.unsynced = []
    this.names.clear()
    for (const [path, inode] of this.durable) this.names.set(path, inode)
    for (const inode of new Set(this.names.values())) inode.links = 0
    for (const inode of this.names.values()) inode.links++
    for (const inode of new Set(this.names.values())) inode.crash(this.random, this.faults.tornWrites ?? true)
  }

  /** Each operation takes effect at once behind this. */
  async enter(operation: string, path: string): Promise<string> {
    const { turns = 0 } = this.faults
    if (turns > 0) for (let wait = this.random.below(turns + 1); wait > 0; wait--) await null
    this.faults.fail?.(operation, path)
    return normalized(path)
  }

  /** Every change has a time of its own, as with nanoseconds on a real disk. */
  touch(): number {
    this.modified = Math.max(this.modified + 1, this.clock.now())
    return this.modified
  }

  readLength(asked: number): number {
    return this.faults.shortReads === true && asked > 1 ? 1 + this.random.below(asked) : asked
  }

  makeRoom(path: string, bytes: number): void {
    if (this.faults.capacity === undefined || bytes <= 0) return
    let used = 0
    for (const inode of new Set(this.names.values())) used += inode.size
    if (used + bytes > this.faults.capacity) throw new MillraceError('STORE', `cannot write ${path}: no space left on the disk`)
  }

  private name(step: Naming[]): void {
    for (const { path, inode } of step) {
      const before = this.names.get(path)
      if (before !== undefined) before.links--
      if (inode !== null) inode.links++
    }
    apply(this.names, step)
    this.unsynced.push(step)
  }
}

class SimulatedFile implements DiskFile {
  private readonly disk: SimulatedDisk
  private readonly inode: SimulatedInode
  private readonly path: string
  private readonly life: number
  private open = true

  constructor(disk: SimulatedDisk, inode: SimulatedInode, path: string) {
    this.disk = disk
    this.inode = inode
    this.path = path
    this.life = disk.life
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    await this.enter('read')
    return this.inode.read(offset, target.subarray(0, this.disk.readLength(target.length)))
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.enter('write')
    this.disk.makeRoom(this.path, offset + bytes.length - this.inode.size)
    this.inode.write(offset, bytes)
    this.inode.modified = this.disk.touch()
  }

  async truncate(size: number): Promise<void> {
    await this.enter('truncate')
    this.inode.truncate(size)
    this.inode.modified = this.disk.touch()
  }

  async sync(): Promise<void> {
    await this.enter('sync')
    this.inode.sync()
  }

  async stat(): Promise<FileStat> {
    await this.enter('stat')
    return fileStat(this.inode)
  }

  async close(): Promise<void> {
    this.open = false
  }

  private async enter(operation: string): Promise<void> {
    await this.disk.enter(operation, this.path)
    if (!this.open || this.life !== this.disk.life) {
      throw new MillraceError('STORE', `cannot ${operation} ${this.path}: the file is closed`)
    }
  }
}

function apply(names: Map<string, SimulatedInode>, step: readonly Naming[]): void {
  for (const { path, inode } of step) {
    if (inode === null) names.delete(path)
    else names.set(path, inode)
  }
}

function fileStat(inode: SimulatedInode): FileStat {
  return { identity: inode.identity, size: inode.size, modified: inode.modified, links: inode.links }
}

/** Without empty and '.' parts. */
function normalized(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`
}
