/**
 * An operator of a dataflow on one worker, and the ports through which batches and frontiers reach it.
 *
 * Contract of `step()`: drain the queues (or stop early and call `this.yield()`, keeping the frontier where the rest
 * of the work needs it), then `advance` the output frontier to what the input frontiers and the operator's own held times
 * allow. Outside loops an operator sends its batches in the order of their times: one with several inputs keeps a batch
 * in its queue until its time is at or below all input frontiers. `step` runs when a batch or a frontier arrived, never concurrently, never within itself.
 *
 * Frontiers outside loops are plain numbers: no later batch has a time below. Source: the progress
 * protocol of Naiad (SOSP 2013), reduced to in-band minima where channels are FIFO and times totally ordered.
 */

import type { Batch } from '../data/batch.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { invariant } from '../error.ts'
import type { StateStats } from '../log/state-stats.ts'
import type { Dataflow } from './dataflow.ts'

/** One input of an operator: a FIFO queue of batches and the frontier behind them. */
export class Port {
  readonly operator: Operator
  /** No batch that arrives from now on has a time below this. */
  frontier: number
  private first: Batch | null = null
  private rest: Batch[] = []
  private head = 0

  constructor(operator: Operator, frontier: number) {
    this.operator = operator
    this.frontier = frontier
  }

  push(batch: Batch): void {
    if (this.first === null) this.first = batch
    else this.rest.push(batch)
  }

  /** The oldest batch in the queue, or null. */
  peek(): Batch | null {
    return this.first
  }

  /** Takes the oldest batch; the caller releases it. */
  pop(): Batch | null {
    const batch = this.first
    if (this.head < this.rest.length) {
      this.first = this.rest[this.head++] as Batch
      if (this.head === this.rest.length) {
        this.rest = []
        this.head = 0
      }
    } else this.first = null
    return batch
  }

  /** The i-th batch behind the oldest (0 = the oldest), or null. */
  at(i: number): Batch | null {
    if (i === 0) return this.first
    return this.rest[this.head + i - 1] ?? null
  }

  get length(): number {
    return this.first === null ? 0 : 1 + this.rest.length - this.head
  }
}

export abstract class Operator {
  /** Position in the dataflow's order; inputs come before (feedback excepted). */
  id = -1
  readonly dataflow: Dataflow
  /** What a user reads in messages and metrics, such as `join` or `orders.filter`. */
  name: string
  /** Where the user's program made it, as `file:line`; empty if unknown, null until a builder says. */
  origin: string | null = null
  readonly inputs: Port[] = []
  /** The ports that read this operator's output. */
  readonly readers: Port[] = []
  /** No later output has a time below this. */
  frontier: number

  constructor(dataflow: Dataflow, name: string) {
    this.dataflow = dataflow
    this.name = name
    this.frontier = dataflow.since
    dataflow.add(this)
  }

  abstract step(): void

  /** Subscribes to the output of `source`. */
  listen(source: Operator): Port {
    const port = new Port(this, source.frontier)
    this.inputs.push(port)
    source.readers.push(port)
    return port
  }

  /** Stops reading `source` through a port; what waits there is dropped. Never while `source` sends. */
  unlisten(source: Operator, port: Port): void {
    const at = source.readers.indexOf(port)
    if (at >= 0) source.readers.splice(at, 1)
    for (let batch = port.pop(); batch !== null; batch = port.pop()) batch.release()
  }

  /** Passes a batch on to all readers; the caller gives its own claim away. */
  send(batch: Batch): void {
    const readers = this.readers
    if (batch.n === 0 || readers.length === 0) {
      batch.release()
      return
    }
    batch.readers += readers.length - 1
    for (let i = 0; i < readers.length; i++) {
      const port = readers[i] as Port
      port.push(batch)
      port.operator.activate()
    }
  }

  /** Promises that no later output has a time below `time`. */
  advance(time: number): void {
    if (time <= this.frontier) return
    this.frontier = time
    const readers = this.readers
    for (let i = 0; i < readers.length; i++) {
      const port = readers[i] as Port
      port.frontier = time
      port.operator.activate()
    }
  }

  activate(): void {
    this.dataflow.activate(this.id)
  }

  /** Runs `step` again after everything downstream has run. */
  yield(): void {
    this.dataflow.activate(this.id)
  }

  /** At local quiescence: the least time of what this operator took from its queues and has not answered yet; Infinity if none. */
  protected keptTime(): number {
    return Number.POSITIVE_INFINITY
  }

  /**
   * At local quiescence: the least time at which this operator may still send on its own account, that is, other than in
   * answer to what arrives later; Infinity if none. Several workers track it as the capability held here.
   */
  heldTime(): number {
    if (this.inputs.length === 0) return this.frontier
    const reached = this.inputFrontier()
    let held = this.frontier < reached ? this.frontier : this.keptTime()
    for (const port of this.inputs) {
      for (let i = 0; i < port.length; i++) {
        const time = (port.at(i) as Batch).time
        if (time < held) held = time
      }
    }
    return held
  }

  /**
   * Marks the dictionary ids in this operator's state; those in key tables are marked by them. Called at local quiescence with
   * empty queues. An id that is not marked is reused for another string.
   */
  markDictionary(_dictionary: Dictionary): void {}

  /** What this operator keeps, in numbers; null if nothing worth it. */
  stateStats(): StateStats | null {
    return null
  }

  /** The least of the input frontiers. */
  inputFrontier(): number {
    const inputs = this.inputs
    if (inputs.length === 0) invariant(false, `${this.name} has no input`)
    let frontier = (inputs[0] as Port).frontier
    for (let i = 1; i < inputs.length; i++) {
      const other = (inputs[i] as Port).frontier
      if (other < frontier) frontier = other
    }
    return frontier
  }
}
