/** Rows that wait for their time: entries of ids that were dropped and given to other rows, and pauses. */
import { expect, test } from 'vitest'
import { PendingRows } from '../../operators/pending-rows.ts'
import { BatchPool } from '../../runtime/data/batch.ts'

const pool = new BatchPool([1])
const columns = [Int32Array.of(7)]

test('the stale entry of an id that another row has by now does no harm', () => {
  const pending = new PendingRows([1], 0)
  for (const [difference, due] of [
    [1, 5],
    [-1, 5],
    [1, 12],
  ]) {
    pending.add(columns, 0, difference, due)
    pending.flush()
  }
  const out = pool.take(8, 16)
  expect(pending.take(8, out, 100)).toBe(true)
  expect(out.n).toBe(0)
  expect(pending.take(12, out, 100)).toBe(true)
  expect(out.n).toBe(1)
  expect(pending.size).toBe(0)
})

test('rows that are not due when a slice ends stay, each once', () => {
  const pending = new PendingRows([1], 0)
  for (const due of [9, 10, 11, 14, 9]) pending.add([Int32Array.of(due)], 0, 1, due)
  pending.flush()
  const out = pool.take(10, 16)
  // The list is taken from its end: 14 and 11 have moved to lower buckets before the slice is full.
  expect(pending.take(10, out, 1)).toBe(false)
  expect(pending.take(10, out, 100)).toBe(true)
  expect(out.n).toBe(2)
  expect(pending.take(20, out, 100)).toBe(true)
  expect([...out.columns[0].subarray(0, out.n)].sort((a, b) => a - b)).toEqual([9, 10, 11, 14])
})
