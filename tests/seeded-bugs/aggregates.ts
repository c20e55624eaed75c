/** Mistakes in aggregates. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/aggregate.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'a removed greatest value stays',
    file: 'operators/extreme-accumulator.ts',
    find: 'if (order >= 0) flags[key] = flag | STALE\n    } else if (order > 0) {\n      flags[key] = PRESENT\n      words[key] = value',
    replace: 'if (order > 0) flags[key] = flag | STALE\n    } else if (order > 0) {\n      flags[key] = PRESENT\n      words[key] = value',
    caughtBy,
    tests: 'min and max',
  },
  {
    title: 'a value of negative multiplicity is forgotten once the group was read',
    file: 'operators/extreme-accumulator.ts',
    find: '(negative ? IRREGULAR : 0)',
    replace: '0',
    caughtBy,
    tests: 'min and max',
  },
  {
    title: 'what was emitted of one time counts for the next',
    file: 'operators/accumulate.ts',
    find: '    this.emitted = 0\n',
    replace: '',
    caughtBy: 'tests/operators/many-groups.test.ts',
  },
  {
    title: 'marks stay when they are counted anew',
    file: 'operators/accumulate.ts',
    find: 'for (let key = 0; key < this.capacity; key++) this.rows[2 * key + 1] = 0',
    replace: '',
    caughtBy: 'tests/operators/many-groups.test.ts',
  },
  {
    title: 'groups that are emitted late get what the first ones had',
    file: 'operators/accumulate.ts',
    find: 'spread(this.shownBefore[i] as Int32Array, this.accumulatorWidths[i] as number, from, to, column)',
    replace: 'spread(this.shownBefore[i] as Int32Array, this.accumulatorWidths[i] as number, 0, to - from, column)',
    caughtBy: 'tests/operators/many-groups.test.ts',
  },
  {
    title: 'a sum that fits again stays an error',
    file: 'operators/accumulate.ts',
    find: 'if (was !== 0) this.errors?.add(group, dictionary.get(was), -1, this.time)',
    replace: '',
    caughtBy,
    tests: 'outside int64',
  },
  {
    title: 'the sum of no value at all is 0 instead of null',
    file: 'operators/sum-accumulator.ts',
    find: 'const isNull = present !== null && present.counts[key] === 0',
    replace: 'const isNull = false',
    caughtBy,
    tests: 'sum',
  },
  {
    title: 'a distinct value is counted again when it comes a second time',
    file: 'operators/distinct-accumulator.ts',
    find: '+ Number(after > 0) - Number(before > 0)',
    replace: '+ Number(after > before) - Number(before > after)',
    caughtBy,
    tests: 'countDistinct',
  },
]
