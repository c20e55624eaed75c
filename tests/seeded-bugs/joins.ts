/** Mistakes in joins. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/joins.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'null equals null',
    file: 'operators/equi-join.ts',
    find: 'if (columns.length === 0) return right\n',
    replace: 'if (columns.length >= 0) return right\n',
    caughtBy,
    tests: 'null equals nothing',
  },
  {
    title: 'a semijoin repeats a row for each match',
    file: 'operators/equi-join.ts',
    find: 'const others = distinctKeys(matchable(left, right, on), on.right)',
    replace:
      'const others = select(matchable(left, right, on), Object.fromEntries(on.right.map((c) => [right.schema.names[c], { node: columnNode(right.schema.names[c], right.schema.types[c]) }])))',
    caughtBy,
    tests: 'split the left side',
  },
  {
    title: '-0 and 0 are two keys of a semijoin, so that a row may come out twice',
    file: 'operators/distinct.ts',
    find: '{ asKeys: true }',
    replace: '{ asKeys: false }',
    caughtBy,
    tests: 'split the left side',
  },
  {
    title: 'a full outer join forgets the right side without a match',
    file: 'operators/equi-join.ts',
    find: 'if (kept.right) parts.push',
    replace: 'if (kept.right && !kept.left) parts.push',
    caughtBy,
    tests: 'outer joins',
  },
]
