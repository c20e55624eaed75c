/**
 * Checkpoints of one dataflow on one worker: its traces, and the state cells of its operators, in one block store.
 *
 * Names are the same for every number of workers, so that the workers of the next generation each take their shards from
 * what all workers of the last one stored. A cut is taken at rest.
 */

import { AccumulateOperator } from '../operators/accumulate.ts'
import { ArrangeOperator } from '../operators/arrange.ts'
import { GroupOperator } from '../operators/group-operator.ts'
import { LeaveOperator } from '../operators/loop-border.ts'
import { ThresholdOperator } from '../operators/threshold-operator.ts'
import { UpsertOperator } from '../operators/upsert.ts'
import { ValidBetweenOperator } from '../operators/valid-between.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import type { Schedulable } from '../runtime/graph/schedulable.ts'
import type { BlockStore } from '../runtime/trace/block-store.ts'
import type { DerivedState, StateCell } from '../runtime/trace/state-cell.ts'
import { TraceCheckpoint } from '../runtime/trace/trace-checkpoint.ts'
import { TraceStore } from '../runtime/trace/trace-store.ts'

interface Cell {
  readonly name: string
  readonly cell: StateCell & Schedulable
}

export class DataflowCheckpoint {
  private readonly graph: Dataflow
  private readonly blocks: BlockStore
  /** Begins the names of all blocks. */
  private readonly prefix: string
  private readonly traces = new Map<string, TraceCheckpoint>()
  private readonly cells: Cell[] = []
  private readonly derived: DerivedState[] = []

  /** Call when all operators exist and nothing has happened. */
  constructor(graph: Dataflow, blocks: BlockStore, prefix: string) {
    this.graph = graph
    this.blocks = blocks
    this.prefix = prefix
    for (const operator of graph.operators) {
      if (operator instanceof ArrangeOperator || operator instanceof UpsertOperator) {
        const name = `trace${this.traces.size}`
        this.traces.set(name, new TraceCheckpoint(operator.trace, blocks, `${prefix}/${name}`, operator.traceTypes, graph.dictionary))
      } else if (operator instanceof AccumulateOperator || operator instanceof ThresholdOperator)
        this.cells.push({ name: `cell${this.cells.length}`, cell: operator })
      else if (operator instanceof GroupOperator) this.derived.push(operator)
      else if (operator instanceof ValidBetweenOperator || operator instanceof LeaveOperator)
        throw new MillraceError('STORE', `${graph.name} cannot be checkpointed: the state of ${operator.name} cannot be stored yet`)
    }
  }

  /** Stores everything as of `time`, at which the dataflow is at rest. */
  cut(time: number): void {
    for (const trace of this.traces.values()) trace.cut(time)
    this.cutCells(time)
  }

  /** Takes the shards of this worker from what workers of an earlier generation stored under their prefixes at `time`. */
  restore(prefixes: readonly string[], shards: (shard: number) => boolean, time: number): void {
    for (const [name, trace] of this.traces) {
      trace.adopt(
        prefixes.map((prefix) => `${prefix}/${name}`),
        shards,
        time,
      )
    }
    for (const { name, cell } of this.cells)
      for (const prefix of prefixes) for (const rows of this.storeOf(`${prefix}/${name}`, cell).readAll(shards)) cell.loadCell(rows)
    for (const state of this.derived) state.rebuild(time)
    this.cutCells(time)
  }

  /** Drops chosen keys of all traces from memory, where the store has them; returns how many. */
  evict(choose: (key: number) => boolean): number {
    let count = 0
    for (const trace of this.traces.values()) count += trace.evictSome(choose)
    return count
  }

  private cutCells(time: number): void {
    for (const { name, cell } of this.cells) {
      const store = this.storeOf(`${this.prefix}/${name}`, cell)
      store.clear()
      store.write(cell.saveCell(), time)
    }
  }

  private storeOf(name: string, cell: StateCell & Schedulable): TraceStore {
    const { cellTypes } = cell
    if (cellTypes === null) throw new MillraceError('STORE', `the state of ${cell.name} cannot be stored`)
    return new TraceStore(this.blocks, name, cellTypes.keys, cellTypes.values, this.graph.dictionary)
  }
}
