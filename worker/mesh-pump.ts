/** Brings what dataflow threads say to the main thread, which cannot block: in slices between its other work. */
import { PARKED_VALUE } from '../runtime/channel/doorbell.ts'
import type { Threads } from '../runtime/env/threads.ts'
import type { MeshEnd } from './local-mesh.ts'

/** Bytes that are taken from one thread before the event loop gets a turn. */
const SLICE_BYTES = 256 << 10

export interface Pumped {
  /** Moves what can be moved; of what came at most about so many bytes. */
  pump(sliceBytes: number): void
  /** Whether `pump` would do something; if not, the doorbell rings when it will. */
  hasWork(): boolean
}

export class MeshPump {
  private readonly threads: Threads
  private readonly end: MeshEnd
  private readonly pumped: Pumped[] = []

  constructor(threads: Threads, end: MeshEnd) {
    this.threads = threads
    this.end = end
  }

  add(pumped: Pumped): void {
    this.pumped.push(pumped)
    if (this.pumped.length === 1) this.threads.later(this.pump)
  }

  private readonly pump = (): void => {
    for (const pumped of this.pumped) pumped.pump(SLICE_BYTES)
    const bell = this.end.doorbells[this.end.main]
    const asleep = bell.announce(this.hasWork) ? this.threads.sleep(bell.words, bell.index, PARKED_VALUE) : null
    if (asleep === null) this.threads.later(this.pump)
    else void asleep.then(this.pump)
  }

  private readonly hasWork = (): boolean => {
    let work = false
    for (const pumped of this.pumped) if (pumped.hasWork()) work = true
    return work
  }
}
