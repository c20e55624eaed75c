/** One output of a job on simulated workers: the changes of all of them, put together, and what they keep. */
import { ArrangementReader } from '../operators/arrangement-reader.ts'
import type { Builder } from '../operators/builder.ts'
import { IndexedOutput } from '../operators/indexed-output.ts'
import type { OutputDefinition } from '../operators/job.ts'
import { OutputOperator, type RowChange } from '../operators/output.ts'
import { Changelog } from '../operators/output-definition.ts'
import type { Stream } from '../runtime/graph/stream.ts'

export class SimulatedOutput {
  readonly name: string
  readonly definition: OutputDefinition | null
  /** By time, the changes of all workers as they came; equal rows may occur several times. */
  readonly changes = new Map<number, RowChange<object>[]>()
  private readonly operators: OutputOperator[] = []
  private readonly readers: ArrangementReader[] = []

  constructor(name: string, definition: OutputDefinition | null) {
    this.name = name
    this.definition = definition
  }

  /** No worker gives changes below this any more. */
  get frontier(): number {
    let least = Number.POSITIVE_INFINITY
    for (const operator of this.operators) least = Math.min(least, operator.frontier)
    return least
  }

  /** Adds the operators of one worker. Returns the node's streams of errors. */
  build(builder: Builder): ReadonlySet<Stream> {
    const output = this.definition as OutputDefinition
    const { rows, errors: streams } = builder.of(output.node)
    this.hear(rows)
    if (output instanceof Changelog) return streams
    const keys = output instanceof IndexedOutput ? output.keyColumns : output.node.schema.names.map((_, column) => column)
    this.readers.push(new ArrangementReader(builder.arrange(output.node, keys), output.node.schema))
    return streams
  }

  /** Whether rows are kept and can be read. */
  get kept(): boolean {
    return this.readers.length > 0
  }

  /** The rows that all workers keep, as of a complete time. Throws BAD_TIME for one that cannot be read any more. */
  read(time: number): RowChange<object>[] {
    return this.readers.flatMap((reader) => {
      const batch = reader.readAll(time)
      return Array.from({ length: batch.n }, (_, i) => ({
        row: reader.codec.readRow(batch, i, reader.arrangement.dataflow.dictionary),
        diff: batch.differences[i],
      }))
    })
  }

  /** The rows of one key, as of a complete time. */
  readKey(key: Readonly<Record<string, unknown>>, time: number): RowChange<object>[] {
    return this.readers.flatMap((reader) => {
      const batch = reader.readKey(key, time)
      return Array.from({ length: batch.n }, (_, i) => ({
        row: reader.codec.readRow(batch, i, reader.arrangement.dataflow.dictionary),
        diff: batch.differences[i],
      }))
    })
  }

  /** Puts the changes of one worker together with those of the others. */
  hear(stream: Stream): void {
    const operator = new OutputOperator(stream, this.name)
    this.operators.push(operator)
    operator.subscribe(({ time, changes }) => {
      const known = this.changes.get(time)
      if (known === undefined) this.changes.set(time, [...(changes as RowChange<object>[])])
      else known.push(...(changes as RowChange<object>[]))
    })
  }
}
