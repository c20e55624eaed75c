/** Mistakes in operators that look at one row at a time. */
import type { SeededBug } from './runner/seeded-bug.ts'

const caughtBy = 'tests/operators/stateless.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    title: 'a filter fuses with a select that can fail, so that its errors count twice',
    file: 'operators/transform.ts',
    find: 'return !inner.projection.some(canFail) && !outer.some(canFail)',
    replace: 'return true',
    caughtBy,
    tests: 'does not fuse over an error',
  },
  {
    title: 'a fused filter takes null for true',
    file: 'operators/substitute.ts',
    find: "op: 'orElse', args: [first, literalNode(false, bool)]",
    replace: "op: 'orElse', args: [first, literalNode(true, bool)]",
    caughtBy,
    tests: 'keeps what is true',
  },
  {
    title: 'the error of a row that is there three times counts once',
    file: 'operators/error-outlet.ts',
    find: 'this.write(out, row, message, batch.differences[i] as number)',
    replace: 'this.write(out, row, message, 1)',
    caughtBy,
    tests: 'makes errors of rows',
  },
  {
    title: 'concat forgets that an input has its columns in another order',
    file: 'operators/concat.ts',
    find: 'picks.some((column, i) => column !== i)',
    replace: 'picks.length === 0',
    caughtBy,
    tests: 'add and negate',
  },
  {
    title: 'rows before a wrong one are written twice',
    file: 'operators/row-function.ts',
    find: 'produced.length = before\n',
    replace: '',
    caughtBy,
    tests: 'what they throw',
  },
]
