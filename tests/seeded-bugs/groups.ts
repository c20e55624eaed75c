/** Mistakes in reduce and topK. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/group.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'topK counts values instead of rows',
    file: 'operators/top-words.ts',
    find: '  let left = count\n',
    replace: '  let left = Math.min(count, 1)\n',
    caughtBy,
    tests: 'of one int32',
  },
  {
    title: 'a change at the last place is taken for one behind it',
    file: 'operators/top-words.ts',
    find: 'value <= last : value < last',
    replace: 'value <= last : value <= last',
    caughtBy,
    tests: 'of one int32',
  },
  {
    title: 'ties are cut off',
    file: 'operators/top-rule.ts',
    find: 'if (this.ties && place >= limit && last >= 0)',
    replace: 'if (this.ties && place > limit && last >= 0)',
    caughtBy,
    tests: 'offsets and ties',
  },
  {
    title: 'with ties a row equal to the last one by the order is taken for one behind it',
    file: 'operators/top-rule.ts',
    find: 'if (this.ties) return false\n',
    replace: '',
    caughtBy,
    tests: 'offsets and ties',
  },
  {
    title: 'the old rows of a group are not taken back',
    file: 'operators/group-operator.ts',
    find: 'out.differences[n] = -difference',
    replace: 'out.differences[n] = 0 * difference',
    caughtBy,
    tests: 'reduce',
  },
]
