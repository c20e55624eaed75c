/** Mistakes that only whole jobs on several workers show: what is held, where rows go, what a restore brings back. */
import type { SeededBug } from './runner/seeded-bug.ts'

const programs = { caughtBy: 'tests/harness/programs.test.ts', tests: 'on [235] workers' }
const operator = { file: 'runtime/graph/operator.ts', ...programs }

export const bugs: readonly SeededBug[] = [
  { ...operator, title: 'what an operator keeps is not held', find: ': this.keptTime()', replace: ': Number.POSITIVE_INFINITY' },
  { ...operator, title: 'batches in queues are not held', find: 'if (time < held) held = time', replace: '' },
  {
    ...programs,
    file: 'operators/arrange.ts',
    title: 'an arrangement does not say what it has not sealed',
    find: 'this.trace.open?.time ?? Number.POSITIVE_INFINITY',
    replace: 'Number.POSITIVE_INFINITY',
  },
  {
    ...programs,
    file: 'operators/time-order.ts',
    title: 'concat passes batches on out of order',
    find: 'return time <= possible ? best : -1',
    replace: 'return best',
  },
  {
    ...programs,
    file: 'operators/aggregate.ts',
    title: 'an aggregate counts only the rows of its own worker',
    find: 'const rows = builder.exchange(source.rows, keyPositions)',
    replace: 'const rows = source.rows',
  },
  {
    ...programs,
    file: 'operators/builder.ts',
    title: 'an arrangement has only the rows of its own worker',
    find: 'make(this.exchange(rows, columns), group.types',
    replace: 'make(rows, group.types',
  },
  {
    ...programs,
    file: 'operators/upsert.ts',
    title: 'the first command for a key wins',
    find: 'sequences[i] < winners.columns[last][at]',
    replace: 'sequences[i] > winners.columns[last][at]',
  },
  {
    file: 'operators/upsert.ts',
    title: 'the commands of all partitions are one sequence',
    find: 'this.source = source\n',
    replace: '',
    caughtBy: 'tests/thread-service/partitions.test.ts',
  },
  {
    file: 'operators/upsert.ts',
    title: 'of several partitions the one that was heard last decides',
    find: 'this.compare(winners, at, best) > 0',
    replace: 'at > best',
    caughtBy: 'tests/thread-service/partitions.test.ts',
  },
  {
    file: 'worker/thread/thread-dataflow.ts',
    title: 'rows of a replay go on at the time after theirs',
    find: 'input.flushAt(this.replayed[0])',
    replace: 'input.flushAt(this.replayed[0] + 1)',
    caughtBy: 'tests/thread-service/replay.test.ts',
  },
  {
    file: 'operators/input.ts',
    title: 'chunks of a call that failed are sent',
    find: 'full.splice(waiting)',
    replace: 'full.slice(full.length)',
    caughtBy: 'tests/bad-input/long-calls.test.ts',
  },
  {
    file: 'runtime/protocol/encode-value.ts',
    title: '-0 crosses as 0',
    find: ' && (value !== 0 || 1 / value > 0)',
    replace: '',
    caughtBy: 'tests/protocol/codec.test.ts',
  },
  {
    ...programs,
    file: 'operators/upsert.ts',
    title: 'an upsert does not see an evicted row',
    find: 'trace.touch(winnerKeys, n)',
    replace: '',
    tests: 'crashes',
  },
  {
    ...programs,
    file: 'operators/group-operator.ts',
    title: 'a restored group tells again what it showed',
    find: 'if (this.rebuilding) out.release()',
    replace: 'if (this.rebuilding && out.n === 0) out.release()',
    tests: 'crashes',
  },
  {
    ...programs,
    file: 'worker/dataflow-checkpoint.ts',
    title: 'what groups show is not restored',
    find: 'for (const state of this.derived) state.rebuild(time)',
    replace: '',
    tests: 'crashes',
  },
  {
    ...programs,
    file: 'operators/accumulate.ts',
    title: 'a restored count is one',
    find: 'this.rows[2 * ids[i]] += differences[i]',
    replace: 'this.rows[2 * ids[i]] = 1',
    tests: 'crashes',
  },
  {
    ...programs,
    file: 'worker/worker-dataflow.ts',
    title: 'what operators hold at first is not given up',
    find: '(operator.inputs.length === 0 ? this.graph.since : NEVER)',
    replace: 'NEVER',
  },
]
