/** The content of one simulated file: as processes see it, and as it would be found after a crash. */
import type { SeededRandom } from './seeded-random.ts'

type Unsynced = { readonly offset: number; readonly bytes: Uint8Array } | { readonly size: number }

export class SimulatedInode {
  readonly identity: string
  links = 0
  modified: number
  size = 0
  private content = new Uint8Array(64)
  private durable = new Uint8Array(0)
  private unsynced: Unsynced[] = []

  constructor(identity: string, modified: number) {
    this.identity = identity
    this.modified = modified
  }

  read(offset: number, target: Uint8Array): number {
    const end = Math.min(this.size, offset + target.length)
    if (end <= offset) return 0
    target.set(this.content.subarray(offset, end))
    return end - offset
  }

  write(offset: number, bytes: Uint8Array): void {
    this.unsynced.push({ offset, bytes: bytes.slice() })
    this.apply(offset, bytes)
  }

  truncate(size: number): void {
    this.unsynced.push({ size })
    this.resize(size)
  }

  sync(): void {
    this.durable = this.content.slice(0, this.size)
    this.unsynced = []
  }

  /**
   * What a crash leaves: of the writes since the last sync each is kept, lost, or, if `torn`, kept only up to a byte
   * in its middle, independently, since a host writes pages back in any order. A lost write before a kept one leaves zeros.
   */
  crash(random: SeededRandom, torn: boolean): void {
    const unsynced = this.unsynced
    this.content = this.durable.slice()
    this.size = this.durable.length
    for (const change of unsynced) {
      const fate = random.below(torn ? 3 : 2)
      if (fate === 0) continue
      if ('size' in change) this.resize(change.size)
      else this.apply(change.offset, fate === 1 ? change.bytes : change.bytes.subarray(0, random.below(change.bytes.length + 1)))
    }
    this.sync()
  }

  private apply(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (offset + bytes.length > this.size) this.resize(offset + bytes.length)
    this.content.set(bytes, offset)
  }

  private resize(size: number): void {
    if (size > this.content.length) {
      const larger = new Uint8Array(Math.max(size, this.content.length * 2))
      larger.set(this.content.subarray(0, this.size))
      this.content = larger
    }
    if (size < this.size) this.content.fill(0, size, this.size)
    this.size = size
  }
}
