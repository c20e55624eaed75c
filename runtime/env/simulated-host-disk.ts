/** The disk as one simulated process has it: operations take their time, and none takes effect once the process is gone. */
import type { Disk, DiskFile, FileStat } from './disk.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedLife } from './simulated-life.ts'

export class SimulatedHostDisk implements Disk {
  private readonly disk: SimulatedDisk
  private readonly life: SimulatedLife
  private readonly random: SeededRandom

  constructor(disk: SimulatedDisk, life: SimulatedLife, random: SeededRandom) {
    this.disk = disk
    this.life = life
    this.random = random
  }

  open(path: string, mode: 'read' | 'create'): Promise<DiskFile | null>
  open(path: string, mode: 'write'): Promise<DiskFile>
  async open(path: string, mode: 'read' | 'create' | 'write'): Promise<DiskFile | null> {
    await this.turn()
    const file = await this.disk.open(path, mode as 'read')
    return file === null ? null : new SimulatedHostFile(file, this)
  }

  async stat(path: string): Promise<FileStat | null> {
    await this.turn()
    return this.disk.stat(path)
  }

  async list(directory: string): Promise<string[]> {
    await this.turn()
    return this.disk.list(directory)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.turn()
    await this.disk.rename(from, to)
  }

  async remove(path: string): Promise<void> {
    await this.turn()
    await this.disk.remove(path)
  }

  async makeDirectory(path: string): Promise<void> {
    await this.turn()
    await this.disk.makeDirectory(path)
  }

  async syncDirectory(path: string): Promise<void> {
    await this.turn()
    await this.disk.syncDirectory(path)
  }

  /** Resolves when an operation takes effect: never if the process is gone by then. */
  turn(): Promise<void> {
    const { life } = this
    if (life.state === 'dead') return new Promise(() => undefined)
    const { delay = 0 } = this.disk.faults
    if (delay === 0) return Promise.resolve()
    const { events } = life.world
    return new Promise((resolve) => {
      events.at(events.time + Math.round(this.random.fraction() * delay * 1000), life, resolve)
    })
  }
}

class SimulatedHostFile implements DiskFile {
  private readonly file: DiskFile
  private readonly disk: SimulatedHostDisk

  constructor(file: DiskFile, disk: SimulatedHostDisk) {
    this.file = file
    this.disk = disk
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    await this.disk.turn()
    return this.file.read(offset, target)
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.disk.turn()
    await this.file.write(offset, bytes)
  }

  async truncate(size: number): Promise<void> {
    await this.disk.turn()
    await this.file.truncate(size)
  }

  async sync(): Promise<void> {
    await this.disk.turn()
    await this.file.sync()
  }

  async stat(): Promise<FileStat> {
    await this.disk.turn()
    return this.file.stat()
  }

  async close(): Promise<void> {
    await this.disk.turn()
    await this.file.close()
  }
}
