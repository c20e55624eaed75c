/** The workloads on Millrace: one worker in this thread, by the public package only. */
import { type ChangesOutput, embed } from '../millrace.ts'
import { type Column, type JobInput, type WorkloadJob, workloadJobs } from './jobs.ts'
import type { Engine, Step } from './runner.ts'
import type { Sink } from './sink.ts'

export interface Forms {
  /** How rows enter: as row objects, or as columns. */
  readonly input: 'rows' | 'columns'
  /** How changes leave: as columns, or as row objects. */
  readonly output: 'columns' | 'rows'
}

export function millrace(forms: Forms): Engine {
  return {
    degrees: (stream, sink) => embedded(workloadJobs.degrees(stream), sink, forms),
    join: (streams, sink) => embedded(workloadJobs.join(streams), sink, forms),
    reach: (stream, sink) => embedded(workloadJobs.reach(stream), sink, forms),
    topk: (stream, sink) => embedded(workloadJobs.topk(stream), sink, forms),
    words: (stream, sink) => embedded(workloadJobs.words(stream), sink, forms),
    wide: (streams, sink) => embedded(workloadJobs.wide(streams), sink, forms),
  }
}

/** Rows a call: a million in one call are slower to build and to take than slices. */
export const SLICE = 1000

/** Logical times: the first commit is at 0, each later one at the next. */
const clock = (): number => 0

interface Input {
  insertMany(rows: readonly object[]): void
  removeMany(rows: readonly object[]): void
  insertColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>): void
  removeColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>): void
}

function embedded(workload: WorkloadJob, sink: Sink, forms: Forms): Step {
  const app = embed(workload.job, { clock })
  const out = app.outputs['out'] as unknown as ChangesOutput<never>
  if (forms.output === 'columns') out.subscribeColumns(workload.foldColumns(sink))
  else out.subscribe(workload.foldRows(sink))
  const inputs = app.inputs as unknown as Readonly<Record<string, Input>>
  for (const [name, rows] of Object.entries(workload.initial)) inputs[name].insertMany(rows)
  const feeds = workload.inputs.map((input) => feeder(inputs[input.name], input, forms))
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (const feed of feeds) feed(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

/** Feeds an input from its stream, as rows or as slices of its columns. */
function feeder(input: Input, { columns, rowAt }: JobInput, forms: Forms): Step {
  if (forms.input === 'columns') {
    const cut = (from: number, to: number): Record<string, ArrayLike<unknown>> =>
      Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, slice(column, from, to)]))
    return (addFrom, addTo, removeFrom, removeTo) => {
      input.insertColumns(cut(addFrom, addTo))
      if (removeTo > removeFrom) input.removeColumns(cut(removeFrom, removeTo))
    }
  }
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i += SLICE) input.insertMany(rowsOf(rowAt, i, Math.min(addTo, i + SLICE)))
    for (let i = removeFrom; i < removeTo; i += SLICE) input.removeMany(rowsOf(rowAt, i, Math.min(removeTo, i + SLICE)))
  }
}

export function rowsOf(rowAt: (i: number) => object, from: number, to: number): object[] {
  const made = new Array<object>(to - from)
  for (let i = from; i < to; i++) made[i - from] = rowAt(i)
  return made
}

function slice(column: Column, from: number, to: number): ArrayLike<unknown> {
  return Array.isArray(column) ? column.slice(from, to) : column.subarray(from, to)
}
