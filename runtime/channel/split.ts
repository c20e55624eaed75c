/**
 * Rows of two workers, column by column. Each value is written for both, and only the cursor of its owner moves on: no branch,
 * which random keys would mispredict half of the time, and no list of row numbers in between. So both targets need room for one more row.
 */

/** How many of the first n rows worker 1 owns. */
export function countOnes(owners: Int32Array, n: number): number {
  let ones = 0
  for (let i = 0; i < n; i++) ones += owners[i]
  return ones
}

/** Appends rows `from`, ... of a column to row `atZero` of `zeros` or to row `atOne` of `ones`. */
export function split(
  column: Int32Array,
  width: number,
  from: number,
  owners: Int32Array,
  n: number,
  zeros: Int32Array,
  atZero: number,
  ones: Int32Array,
  atOne: number,
): void {
  if (width === 1) splitOne(column, from, owners, n, zeros, atZero, ones, atOne)
  else if (width === 2) splitTwo(column, 2 * from, owners, n, zeros, 2 * atZero, ones, 2 * atOne)
  else splitThree(column, 3 * from, owners, n, zeros, 3 * atZero, ones, 3 * atOne)
}

function splitOne(
  column: Int32Array,
  from: number,
  owners: Int32Array,
  n: number,
  zeros: Int32Array,
  zero: number,
  ones: Int32Array,
  one: number,
): void {
  for (let i = 0; i < n; i++) {
    const owner = owners[i]
    const word = column[from + i]
    zeros[zero] = word
    ones[one] = word
    zero += 1 - owner
    one += owner
  }
}

function splitTwo(
  column: Int32Array,
  from: number,
  owners: Int32Array,
  n: number,
  zeros: Int32Array,
  zero: number,
  ones: Int32Array,
  one: number,
): void {
  for (let i = 0; i < n; i++) {
    const step = owners[i] << 1
    const low = column[from + 2 * i]
    const high = column[from + 2 * i + 1]
    zeros[zero] = low
    zeros[zero + 1] = high
    ones[one] = low
    ones[one + 1] = high
    zero += 2 - step
    one += step
  }
}

function splitThree(
  column: Int32Array,
  from: number,
  owners: Int32Array,
  n: number,
  zeros: Int32Array,
  zero: number,
  ones: Int32Array,
  one: number,
): void {
  for (let i = 0; i < n; i++) {
    const step = 3 * owners[i]
    for (let w = 0; w < 3; w++) {
      const word = column[from + 3 * i + w]
      zeros[zero + w] = word
      ones[one + w] = word
    }
    zero += 3 - step
    one += step
  }
}
