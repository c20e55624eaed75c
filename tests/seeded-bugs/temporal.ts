/** Mistakes in validity by time, and in what waits for its time. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/valid-between.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'a row stays one time too long',
    file: 'operators/valid-between.ts',
    find: 'if (end <= Number.MAX_SAFE_INTEGER) pending.add(row, i, -differences[i], end)',
    replace: 'if (end <= Number.MAX_SAFE_INTEGER) pending.add(row, i, -differences[i], end + 1)',
    caughtBy,
  },
  {
    title: 'a row that ends before it begins is there for ever',
    file: 'operators/valid-between.ts',
    find: 'if (end <= start || start > Number.MAX_SAFE_INTEGER) continue',
    replace: 'if (end < time || start > Number.MAX_SAFE_INTEGER) continue',
    caughtBy,
  },
  {
    title: 'an expiry waits for new input',
    file: 'operators/valid-between.ts',
    find: 'Math.min(batch.time, next) : next',
    replace: 'Math.min(batch.time, next) : Number.POSITIVE_INFINITY',
    caughtBy,
  },
  {
    title: 'what is due in the bucket of the time itself is left',
    file: 'operators/pending-rows.ts',
    find: 'this.current <= this.highest',
    replace: 'this.current < this.highest',
    caughtBy,
  },
  {
    title: 'a slice forgets that there is more',
    file: 'operators/pending-rows.ts',
    find: 'if (out.n === end) return false',
    replace: 'if (out.n === end) return true',
    caughtBy,
  },
]
