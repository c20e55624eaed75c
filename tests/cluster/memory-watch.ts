/** The most memory that processes had, looked at again and again. */
import type { RunningProcess } from './processes.ts'

const LOOK_MILLISECONDS = 50

export class MemoryWatch {
  private readonly processes: readonly RunningProcess[]
  private peaks: number[]
  private readonly timer: NodeJS.Timeout

  constructor(processes: readonly RunningProcess[]) {
    this.processes = processes
    this.peaks = processes.map(() => 0)
    this.timer = setInterval(() => this.look(), LOOK_MILLISECONDS)
  }

  /** The greatest resident bytes of each since the last call. */
  reset(): readonly number[] {
    this.look()
    const { peaks } = this
    this.peaks = this.processes.map(() => 0)
    return peaks
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private look(): void {
    for (const [i, process] of this.processes.entries()) this.peaks[i] = Math.max(this.peaks[i], process.usage()?.residentBytes ?? 0)
  }
}
