/** An aggregate by a user's function of the group's rows: computed anew for each key that changed, once a time. */
import { type Batch, grown } from '../runtime/data/batch.ts'
import { type ColumnType, isInterned } from '../runtime/data/column-type.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { readValue, writeValue } from '../runtime/data/value-codec.ts'
import type { Accumulator } from './accumulator.ts'
import { NOT_DETERMINISTIC } from './determinism.ts'
import { thrownText } from './error-outlet.ts'
import type { AggregateSpec, GroupRow } from './expression/aggregate.ts'
import type { Groups } from './group-reader.ts'

export class UserAccumulator implements Accumulator {
  readonly kind = 'user'
  readonly column = -1
  readonly canFail = true
  private readonly type: ColumnType
  private readonly compute: NonNullable<AggregateSpec['compute']>
  private readonly inputs: readonly number[]
  private readonly inputTypes: readonly ColumnType[]
  private readonly groups: Groups
  private readonly dictionary: Dictionary
  private readonly twice: boolean
  private words = new Int32Array(0)
  /** By key: the dictionary id of why there is no value, or 0. */
  private reasons = new Int32Array(0)
  private readonly second: Int32Array

  /** `inputs` are columns of the groups' rows. */
  constructor(spec: AggregateSpec, inputs: readonly number[], groups: Groups, dictionary: Dictionary, twice: boolean) {
    this.type = spec.type
    this.compute = spec.compute as NonNullable<AggregateSpec['compute']>
    this.inputs = inputs
    this.inputTypes = spec.inputs.map((node) => node.type)
    this.groups = groups
    this.dictionary = dictionary
    this.twice = twice
    this.second = new Int32Array(spec.type.width)
  }

  get bytes(): number {
    return this.words.byteLength + this.reasons.byteLength
  }

  grow(capacity: number): void {
    this.words = grown(this.words, this.type.width * capacity)
    this.reasons = grown(this.reasons, capacity)
  }

  add(): void {}

  settle(keys: Int32Array, n: number, time: number): void {
    for (let j = 0; j < n; j++) {
      const key = keys[j] as number
      const group = this.groups.read(key, time)
      const { width } = this.type
      this.words.fill(0, key * width, (key + 1) * width)
      this.reasons[key] = 0
      if (group.n === 0) continue
      const reason = this.computeInto(this.rowsOf(group), this.words, key)
      if (reason !== null) this.reasons[key] = this.dictionary.intern(reason)
      if (this.twice && reason !== this.again(group, key)) this.reasons[key] = this.dictionary.intern(NOT_DETERMINISTIC)
    }
  }

  /** Computes once more, with the rows in the opposite order; what it says, or another text if the value differs. */
  private again(group: Batch, key: number): string | null {
    const { width } = this.type
    const reason = this.computeInto(this.rowsOf(group).reverse(), this.second, 0)
    if (reason !== null) return reason
    for (let w = 0; w < width; w++) if (this.second[w] !== this.words[key * width + w]) return NOT_DETERMINISTIC
    return null
  }

  private computeInto(rows: GroupRow<readonly unknown[]>[], out: Int32Array, row: number): string | null {
    let value: unknown
    try {
      value = this.compute(rows)
    } catch (thrown) {
      return thrownText(thrown)
    }
    try {
      writeValue(this.type, value, out, row, this.dictionary)
      return null
    } catch (error) {
      return `the function gave a value that does not fit: ${thrownText(error)}`
    }
  }

  /** The group's different tuples of inputs; the group may tell rows apart by columns that are none. */
  private rowsOf(group: Batch): GroupRow<readonly unknown[]>[] {
    const tuples = new Map<string, { first: number; multiplicity: number }>()
    for (let i = 0; i < group.n; i++) {
      let words = ''
      for (const column of this.inputs) {
        const width = group.widths[column] as number
        for (let w = 0; w < width; w++) words += `${(group.columns[column] as Int32Array)[i * width + w]},`
      }
      const tuple = tuples.get(words)
      if (tuple === undefined) tuples.set(words, { first: i, multiplicity: group.differences[i] as number })
      else tuple.multiplicity += group.differences[i] as number
    }
    return [...tuples.values()]
      .filter(({ multiplicity }) => multiplicity !== 0)
      .map(({ first, multiplicity }) => ({ values: this.valuesOf(group, first), multiplicity }))
  }

  private valuesOf(group: Batch, i: number): unknown[] {
    const { inputs, inputTypes, dictionary } = this
    return inputs.map((column, k) => readValue(inputTypes[k] as ColumnType, group.columns[column] as Int32Array, i, dictionary))
  }

  show(keys: Int32Array, from: number, to: number, out: Int32Array, row: number, step: number, failures: Int32Array): void {
    const { words, reasons } = this
    const { width } = this.type
    for (let j = from, at = row; j < to; j++, at += step) {
      const key = keys[j] as number
      if (failures[at] === 0) failures[at] = reasons[key] as number
      for (let w = 0; w < width; w++) out[at * width + w] = words[key * width + w] as number
    }
  }

  isZero(key: number): boolean {
    return this.reasons[key] === 0
  }

  markDictionary(dictionary: Dictionary): void {
    const interned = isInterned(this.type)
    for (let key = 0; key < this.reasons.length; key++) {
      if (this.reasons[key] !== 0) dictionary.mark(this.reasons[key] as number)
      if (interned) dictionary.mark(this.words[key] as number)
    }
  }
}
