/**
 * The operators of one dataflow on one worker, and the sweep that runs those with something to do.
 *
 * A sweep goes upwards through a bit set of active operators; since inputs have smaller ids than
 * their readers, one sweep carries a batch all the way down. An operator that yields, or that a
 * feedback edge activates, runs in the next sweep.
 */

import type { Exchanger } from '../channel/exchanger.ts'
import type { ColumnType } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { invariant } from '../error.ts'
import { KeyTable } from '../trace/key-table.ts'
import type { Schedulable } from './schedulable.ts'
import type { TrackedRegion } from './tracked-region.ts'

/** What runs at local quiescence: applies what was left pending, or moves progress. Returns whether it made work. */
export interface Quiescent {
  quiescent(): boolean
}

export class Dataflow {
  readonly name: string
  readonly dictionary: Dictionary
  readonly operators: Schedulable[] = []
  readonly keyTables: KeyTable[] = []
  /** Outermost loops. */
  readonly regions: TrackedRegion[] = []
  /** The least time at which anything can happen in this dataflow. */
  readonly since: number
  /** How rows reach other workers; null where there is one worker and no need to know. */
  exchanger: Exchanger | null = null
  /** Operator activations so far. */
  activations = 0
  private active = new Int32Array(4)
  private readonly pending: Quiescent[] = []
  private pendingCount = 0
  private readonly always: Quiescent[] = []
  private running = false

  constructor(name: string, dictionary: Dictionary, since = 0) {
    this.name = name
    this.dictionary = dictionary
    this.since = since
  }

  add(operator: Schedulable): void {
    operator.id = this.operators.length
    this.operators.push(operator)
    if (operator.id >> 5 >= this.active.length) {
      const wider = new Int32Array(this.active.length * 2)
      wider.set(this.active)
      this.active = wider
    }
  }

  /** A key table for these key types, known to the garbage collection. */
  keyTable(types: readonly ColumnType[]): KeyTable {
    const table = new KeyTable(types)
    this.keyTables.push(table)
    return table
  }

  activate(id: number): void {
    this.active[id >> 5] |= 1 << (id & 31)
  }

  /** Has `quiescent()` called once, at the next local quiescence. */
  whenQuiescent(work: Quiescent): void {
    this.pending[this.pendingCount++] = work
  }

  /** Has `quiescent()` called at every local quiescence. */
  atEveryQuiescence(work: Quiescent): void {
    this.always.push(work)
  }

  /** Whether `run` is under way: a commit from inside would be reentrant. */
  get isRunning(): boolean {
    return this.running
  }

  /**
   * Runs active operators until none is active and nobody makes more work, or until about `budget` activations are spent.
   * Returns true at local quiescence.
   */
  run(budget = Number.POSITIVE_INFINITY): boolean {
    if (this.running) invariant(false, `dataflow ${this.name} runs within itself`)
    this.running = true
    const stop = this.activations + budget
    try {
      do {
        if (!this.sweep(stop)) return false
      } while (this.settle())
      return true
    } finally {
      this.running = false
    }
  }

  private sweep(stop: number): boolean {
    const operators = this.operators
    for (;;) {
      const active = this.active
      let any = false
      for (let word = 0; word < active.length; word++) {
        let from = 0
        for (;;) {
          const bits = from > 31 ? 0 : (active[word] as number) & (-1 << from)
          if (bits === 0) break
          const bit = 31 - Math.clz32(bits & -bits)
          if (this.activations >= stop) return false
          active[word] = (active[word] as number) & ~(1 << bit)
          any = true
          from = bit + 1
          this.activations++
          ;(operators[(word << 5) + bit] as Schedulable).step()
        }
      }
      if (!any) return true
    }
  }

  private settle(): boolean {
    let made = false
    for (let i = 0; i < this.pendingCount; i++) if ((this.pending[i] as Quiescent).quiescent()) made = true
    this.pendingCount = 0
    const always = this.always
    for (let i = 0; i < always.length; i++) if ((always[i] as Quiescent).quiescent()) made = true
    return made
  }
}
