/** Mistakes in loops: join, distinct, reduce and iterate at partially ordered times. */
import type { SeededBug } from './runner/seeded-bug.ts'

const iterate = 'tests/loops/iterate.test.ts'
const groups = 'tests/loops/aggregates.test.ts'
const inFlight = 'tests/loops/in-flight.test.ts'
const distinct = { file: 'operators/general-distinct.ts', caughtBy: iterate }
const join = { file: 'operators/general-join.ts', caughtBy: iterate }
const reduce = { file: 'operators/general-reduce.ts', caughtBy: groups }
const threshold = { file: 'operators/general-threshold.ts', caughtBy: 'tests/loops/failures.test.ts' }
const partialOrder = 'tests/loops/partial-order.test.ts'

export const bugs: readonly SeededBug[] = [
  {
    ...join,
    title: 'a pair of rows that come at once is met twice',
    find: 'if (this.until > this.from && this.collectEarly(left ? this.rightPort : this.leftPort)) {',
    replace: 'if (this.until < 0 && this.collectEarly(left ? this.rightPort : this.leftPort)) {',
  },
  {
    file: 'operators/general-join-kernel.ts',
    caughtBy: inFlight,
    title: 'a pair gets the time of the changed row alone',
    find: 'const w=A[p],u=A[p+1],x=d*A[p+2]',
    replace: 'const w=A[p],u=t,x=d*A[p+2]',
  },
  {
    ...distinct,
    title: 'distinct does not look at later times of a row',
    find: 'if (laterCount > 0) this.lookAheadAll(time, laterCount)',
    replace: '',
  },
  {
    ...distinct,
    title: 'distinct skips later times although the row was shown there',
    find: 'irregular |= (first | (second === 0 ? 0 : -1)) & ~mask',
    replace: 'irregular |= first & ~mask',
  },
  {
    ...distinct,
    title: 'distinct forgets what it sent out',
    find: 'counts.add(key, time, 0, difference)',
    replace: '',
  },
  {
    file: 'operators/interesting-times.ts',
    caughtBy: partialOrder,
    title: 'joins of a time with one other are taken for all joins, where times are not a chain',
    find: 'if (this.isChain()) return true',
    replace: 'if (this.found.length >= 0) return true',
  },
  {
    ...reduce,
    title: 'reduce works on the times of its input alone, not on their joins',
    find: 'pending.at(times.join(time, other)).add(key)',
    replace: 'pending.at(time)',
  },
  {
    ...reduce,
    title: 'reduce takes back what it showed at any time',
    find: 'this.shown.readKey(key, time, (id, difference) => {',
    replace: 'this.shown.segments.forEach(key, (id, _, difference) => {',
  },
  {
    file: 'runtime/trace/general-trace.ts',
    caughtBy: groups,
    title: 'a group is read with rows of other iterations',
    find: 'if (times.lessEqual(other, time)) sums',
    replace: 'if (times.outer(other) <= times.outer(time)) sums',
  },
  {
    file: 'operators/variable.ts',
    caughtBy: iterate,
    title: 'the source stays in a variable for all iterations',
    find: 'out.differences[i] = -out.differences[i]',
    replace: 'out.differences[i] = 0',
  },
  {
    file: 'operators/variable.ts',
    caughtBy: groups,
    tests: 'does not settle',
    title: 'what does not settle is dropped without a word',
    find: 'if (this.isBeyond(batch.time)) this.beyond.send(batch)',
    replace: 'if (this.isBeyond(batch.time)) batch.release()',
  },
  {
    file: 'operators/loop-border.ts',
    caughtBy: inFlight,
    title: 'outer times leave a loop before they are over',
    find: 'if (frontier <= this.complete) return false\n    this.complete = frontier',
    replace: 'if (frontier <= this.complete) return false\n    this.complete = frontier + 1',
  },
  {
    ...distinct,
    caughtBy: partialOrder,
    title: 'distinct counts what it sent out at later times as sent out already',
    find: 'laterWent[laterCount] = wanted + array[single + 2]',
    replace: 'laterWent[laterCount] = wanted',
  },
  {
    ...threshold,
    title: 'threshold forgets which errors it told of',
    find: 'this.reasons.segments.add(key, id, time, difference)',
    replace: '',
  },
  {
    ...threshold,
    title: 'threshold works on the times of its input alone, not on their joins',
    find: 'pending.at(times.join(time, other)).add(key)',
    replace: 'pending.at(time)',
  },
  {
    ...threshold,
    title: 'a row whose function fails keeps the multiplicity that it had',
    find: "(typeof answer === 'string' ? 0 : answer) - went",
    replace: "(typeof answer === 'string' ? went : answer) - went",
  },
]
