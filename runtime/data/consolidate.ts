/**
 * Consolidation: equal rows of a batch become one with the sum of their differences, and sums of zero vanish.
 *
 * Few rows are compared with each other, more go through a hash table of positions; the first of equal rows stays
 * where it is, so the order of a batch is kept.
 */
import { MillraceError } from '../error.ts'
import { type Batch, powerOfTwo } from './batch.ts'
import { type ConsolidateKernels, consolidateKernels } from './consolidate-kernels.ts'

/** Up to this many rows comparing all with all beats hashing. */
const COMPARED_ROWS = 10
/** The table stays allocated up to this many slots; larger ones are made anew. */
const KEPT_SLOTS = 1 << 20

/** A kernel that is called again and again within the first load, not once, stays compiled for what comes after it. */
const ROWS_A_CALL = 1 << 12

let table = new Int32Array(64)
const untimed = new WeakMap<readonly number[], ConsolidateKernels>()
const timed = new WeakMap<readonly number[], ConsolidateKernels>()

/**
 * Consolidates a batch in place. Rows are equal if all words are, and the time where each row has its own. The batch
 * must be its caller's own: not sent yet, and no shell over another's columns.
 * @throws MillraceError OVERFLOW when a sum, in the order of the rows, leaves int32; the batch is spoilt then.
 */
export function consolidate(batch: Batch): void {
  const { columns, times, differences, n } = batch
  if (n <= 1) {
    if (n === 1 && differences[0] === 0) batch.n = 0
    return
  }
  const cache = times === null ? untimed : timed
  let kernels = cache.get(batch.widths)
  if (kernels === undefined) {
    kernels = consolidateKernels(batch.widths, times !== null)
    cache.set(batch.widths, kernels)
  }
  let left: number
  if (n <= COMPARED_ROWS) left = kernels.compare(columns, times, differences, n)
  else {
    const slots = powerOfTwo(2 * n)
    const empty = emptyTable(slots)
    left = 0
    for (let from = 0; from < n && left >= 0; from += ROWS_A_CALL)
      left = kernels.hash(columns, times, differences, from, Math.min(n, from + ROWS_A_CALL), left, empty, slots - 1)
  }
  if (left < 0) {
    throw new MillraceError(
      'OVERFLOW',
      'the differences of equal rows add up to more than int32 holds',
      'Count or consolidate the rows in smaller rounds, before they are joined.',
    )
  }
  let kept = 0
  for (let from = 0; from < left; from += ROWS_A_CALL)
    kept = kernels.dropZeros(columns, times, differences, from, Math.min(left, from + ROWS_A_CALL), kept)
  batch.n = kept
}

/** A table whose first `slots` words are 0. */
function emptyTable(slots: number): Int32Array {
  if (slots > KEPT_SLOTS) return new Int32Array(slots)
  if (table.length < slots) table = new Int32Array(slots)
  else table.fill(0, 0, slots)
  return table
}
