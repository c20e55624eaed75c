/**
 * What a job's outputs must be at each time: one worker in the caller's thread, given the changes that each source's cuts say
 * belong to a time.
 */
import type { InputDefinitions } from '../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../operators/job.ts'
import type { RowChange, RowChanges } from '../operators/output.ts'
import { invariant } from '../runtime/error.ts'
import type { ChangeRun } from '../runtime/protocol/change-run.ts'
import { App } from '../worker/embedded.ts'
import type { ChangesOutput } from '../worker/embedded-outputs.ts'
import { type Multiset, Multisets } from './multiset.ts'
import type { ScriptedSource } from './scripted-source.ts'

type AnyJob = Job<InputDefinitions, OutputDefinitions>

interface Input {
  insertMany(rows: readonly object[]): void
  removeMany(rows: readonly object[]): void
  upsertMany(rows: readonly object[]): void
  deleteMany(keys: readonly object[]): void
  reject(row: object): void
}

/** Where the partitions of all inputs are at a time: `input` and `partition`, to the number of changes. */
export type Cuts = ReadonlyMap<string, ReadonlyMap<string, number>>

export class Oracle {
  /** By output: all rows, and what the last time changed. */
  readonly rows: ReadonlyMap<string, Multiset>
  readonly changes: ReadonlyMap<string, Multiset>
  time = 0
  private readonly app: App<InputDefinitions, OutputDefinitions>
  private readonly sources: Readonly<Record<string, ScriptedSource>>
  private readonly taken = new Map<string, number>()

  constructor(job: AnyJob, sources: Readonly<Record<string, ScriptedSource>>) {
    this.sources = sources
    this.app = new App(job, { clock: () => this.time })
    const rows = new Map<string, Multiset>()
    const changes = new Map<string, Multiset>()
    for (const [name, output] of Object.entries(this.app.outputs)) {
      if (!('subscribe' in output)) continue
      const sum = Multisets.empty()
      const last = Multisets.empty()
      rows.set(name, sum)
      changes.set(name, last)
      const told = (output as unknown as ChangesOutput<object>).subscribe.bind(output) as (reader: (c: RowChanges<object>) => void) => void
      told(({ changes: all }) => {
        for (const { row, diff } of all as readonly RowChange<object>[]) {
          Multisets.add(sum, row, diff)
          Multisets.add(last, row, diff)
        }
      })
    }
    this.rows = rows
    this.changes = changes
  }

  /** Goes on to a time: gives each partition's changes up to its cut. */
  advance(time: number, cuts: Cuts): void {
    invariant(time > this.time, `the oracle is at ${this.time}, beyond ${time}`)
    for (const [input, partitions] of cuts) for (const [partition, to] of partitions) this.feed(input, partition, to)
    for (const last of this.changes.values()) last.clear()
    this.time = time
    this.app.advanceTo(time)
  }

  close(): void {
    this.app.close()
  }

  private feed(input: string, partition: string, to: number): void {
    const key = `${input} ${partition}`
    const from = this.taken.get(key) ?? 0
    invariant(to >= from, `the cut of ${key} went back from ${from} to ${to}`)
    const script = this.sources[input]?.scripts.get(partition)
    invariant(script !== undefined && to <= script.length, `a cut of ${key} at ${to}`)
    const handle = (this.app.inputs as Record<string, unknown>)[input] as Input
    for (let i = from; i < to; i++) apply(handle, script[i].run)
    this.taken.set(key, to)
  }
}

function apply(input: Input, run: ChangeRun): void {
  if (run.op === 'insert') input.insertMany(run.rows)
  else if (run.op === 'remove') input.removeMany(run.rows)
  else if (run.op === 'upsert') input.upsertMany(run.rows)
  else if (run.op === 'delete') input.deleteMany(run.rows)
  else for (const row of run.rows) input.reject(row)
}
