/**
 * A source whose rows are known beforehand and become available with time: what was available stays, whoever reads it and
 * how often. A position is the number of changes before it.
 */
import type { Environment } from '../runtime/env/environment.ts'
import { invariant } from '../runtime/error.ts'
import type { ChangeRun } from '../runtime/protocol/change-run.ts'
import type { Position } from '../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../runtime/protocol/replayable-source.ts'

/** A change, and from when on it can be read: microseconds since 1970. */
export interface ScriptedChange {
  readonly at: number
  /** Of one row. */
  readonly run: ChangeRun
}

/** Changes of a batch at most. */
const BATCH_CHANGES = 64

export class ScriptedSource implements ReplayableSource {
  readonly kind = 'scripted'
  /** By partition, ascending by time. */
  readonly scripts: ReadonlyMap<string, readonly ScriptedChange[]>
  /** The world's clock: hosts' clocks may be wrong. */
  private readonly now: () => number

  constructor(scripts: ReadonlyMap<string, readonly ScriptedChange[]>, now: () => number) {
    this.scripts = scripts
    this.now = now
  }

  async partitions(): Promise<readonly string[]> {
    return [...this.scripts.keys()]
  }

  async open(_: Environment, __: InputShape, partition: string, after: Position | null): Promise<PartitionReader> {
    const script = this.scripts.get(partition)
    invariant(script !== undefined, `there is no partition ${partition}`)
    return new ScriptedReader(script, after === null ? 0 : (after as number), this.now)
  }
}

class ScriptedReader implements PartitionReader {
  private readonly script: readonly ScriptedChange[]
  private readonly now: () => number
  private next: number

  constructor(script: readonly ScriptedChange[], next: number, now: () => number) {
    this.script = script
    this.next = next
    this.now = now
  }

  get behind(): boolean {
    return this.next < this.script.length && this.script[this.next].at <= this.now()
  }

  async poll(until: Position | null): Promise<SourceBatch | null> {
    const end = Math.min(this.script.length, this.next + BATCH_CHANGES, until === null ? Number.POSITIVE_INFINITY : (until as number))
    const runs: ChangeRun[] = []
    while (this.next < end && this.script[this.next].at <= this.now()) runs.push(this.script[this.next++].run)
    return runs.length === 0 ? null : { runs, position: this.next }
  }

  hasReached(position: Position): boolean {
    return this.next >= (position as number)
  }

  async close(): Promise<void> {}
}
