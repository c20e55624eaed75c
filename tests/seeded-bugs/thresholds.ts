/** Mistakes in distinct, threshold and consolidate. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/threshold.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'a row of negative multiplicity is there',
    file: 'operators/threshold-operator.ts',
    find: 'Number(is > 0) - Number(was > 0)',
    replace: 'Number(is !== 0) - Number(was !== 0)',
    caughtBy,
    tests: 'distinct',
  },
  {
    title: 'an id is reused while its row is still there',
    file: 'operators/threshold-operator.ts',
    find: 'if (state[2 * touched[j]] === 0) table.release(touched[j])',
    replace: 'if (state[2 * touched[j]] <= 1) table.release(touched[j])',
    caughtBy,
    tests: 'distinct',
  },
  {
    title: 'the error of a multiplicity stays when it changes',
    file: 'operators/threshold-operator.ts',
    find: 'this.shown(id, is, 1) - this.shown(id, was, -1)',
    replace: 'this.shown(id, is, 1) - this.shown(id, was, 1)',
    caughtBy,
    tests: 'threshold',
  },
]
