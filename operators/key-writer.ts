/**
 * Key ids back to columns: the words of a key as its own column type has them, where the key table's common type is
 * wider (int32 keys that meet int64 ones, or nullable ones).
 */
import { powerOfTwo } from '../runtime/data/batch.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import type { KeyTable } from '../runtime/trace/key-table.ts'

export class KeyWriter {
  private readonly keys: KeyTable
  private readonly types: readonly ColumnType[]
  private readonly keyTypes: readonly ColumnType[]
  /** Key columns that need no change, so that a table can write them in place. */
  private readonly same: boolean
  private scratch: Int32Array[] = []
  private scratchRows = 0

  constructor(keys: KeyTable, types: readonly ColumnType[], keyTypes: readonly ColumnType[]) {
    this.keys = keys
    this.types = types
    this.keyTypes = keyTypes
    this.same = types.every((type, k) => type.width === (keyTypes[k] as ColumnType).width)
  }

  /** Writes the key columns of n key ids to rows at .. of `out`. */
  write(ids: Int32Array, n: number, out: readonly Int32Array[], at: number): void {
    if (this.types.length === 0) return
    if (this.same) {
      this.keys.writeKeys(ids, n, out, at)
      return
    }
    if (this.scratchRows < n) {
      this.scratchRows = powerOfTwo(n)
      this.scratch = this.keyTypes.map((type) => new Int32Array(type.width * this.scratchRows))
    }
    this.keys.writeKeys(ids, n, this.scratch, 0)
    this.types.forEach((type, k) => {
      narrow(this.scratch[k] as Int32Array, this.keyTypes[k] as ColumnType, out[k] as Int32Array, type, n, at)
    })
  }
}

/** Whole numbers into fewer words; values fit, since they came from the narrower type. */
function narrow(from: Int32Array, keyType: ColumnType, to: Int32Array, type: ColumnType, n: number, at: number): void {
  const wide = keyType.width
  const width = type.width
  const values = type.nullable ? width - 1 : width
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < values; j++) to[(at + i) * width + j] = from[i * wide + j] as number
    if (type.nullable) to[(at + i) * width + values] = from[i * wide + wide - 1] as number
  }
}
