/** The aggregates of one whole group at a time, for where state by key can't be kept: inside loops. */
import type { Batch } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import type { Accumulator } from './accumulator.ts'
import type { GroupRule } from './group-rule.ts'

/** Accumulators keep state by key id; a rule uses one, and empties it after each group. */
const ONLY = Int32Array.of(0)

export class AggregateRule implements GroupRule {
  readonly canFail: boolean
  readonly skips = null
  /** The group at hand, for accumulators that read whole groups. */
  readonly groups = { read: (): Batch => this.group as Batch }
  private group: Batch | null = null
  private accumulators: readonly Accumulator[] = []
  private columns: readonly number[] = []
  private readonly dictionary: Dictionary
  private zeros = new Int32Array(64)
  private readonly failures = new Int32Array(1)
  private values: Int32Array[] = []

  constructor(dictionary: Dictionary, make: (groups: AggregateRule['groups']) => readonly Accumulator[], widths: readonly number[]) {
    this.dictionary = dictionary
    this.accumulators = make(this.groups)
    this.columns = this.accumulators.map(({ column }) => column)
    this.canFail = this.accumulators.some((accumulator) => accumulator.canFail)
    this.values = widths.map((width) => new Int32Array(width))
    for (const accumulator of this.accumulators) accumulator.grow(1)
  }

  compute(group: Batch, out: Batch): string | null {
    const { accumulators, failures, values } = this
    let rows = 0
    for (let i = 0; i < group.n; i++) rows += group.differences[i]
    if (rows === 0) return null
    if (this.zeros.length < group.n) this.zeros = new Int32Array(2 * group.n)
    this.group = group
    failures[0] = 0
    this.addAll(group)
    for (let a = 0; a < accumulators.length; a++) {
      const accumulator = accumulators[a]
      accumulator.settle(ONLY, 1, group.time)
      if (accumulator.kind === 'rows') {
        values[a][0] = rows | 0
        values[a][1] = Math.floor(rows / 2 ** 32)
      } else accumulator.show(ONLY, 0, 1, values[a], 0, 1, failures)
    }
    for (let i = 0; i < group.n; i++) group.differences[i] = -group.differences[i]
    this.addAll(group)
    if (failures[0] !== 0) return this.dictionary.get(failures[0])
    out.reserve(out.n + 1)
    const n = out.n++
    for (let a = 0; a < values.length; a++) out.columns[a + 1].set(values[a], n * values[a].length)
    out.differences[n] = 1
    return null
  }

  isFull(): boolean {
    return false
  }

  private addAll(group: Batch): void {
    const { accumulators, columns, zeros } = this
    for (let a = 0; a < accumulators.length; a++) accumulators[a].add(zeros, group, columns[a], group.n)
  }
}
