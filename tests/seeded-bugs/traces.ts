/** Mistakes in traces: reads in the past, compaction, cuts, restores and eviction. */
import type { SeededBug } from './runner/seeded-bug.ts'

const trace = { file: 'runtime/trace/total-trace.ts', caughtBy: 'tests/trace/checkpoint.test.ts' }
const checkpoint = { file: 'runtime/trace/trace-checkpoint.ts', caughtBy: 'tests/trace/checkpoint.test.ts' }
const programs = { caughtBy: 'tests/harness/programs.test.ts', tests: 'crashes|once failed' }

export const bugs: readonly SeededBug[] = [
  {
    ...trace,
    title: 'the ids of evicted keys are given away',
    find: 'if (evicted[key] !== 0) live[key] = 1',
    replace: 'if (evicted[key] > 1) live[key] = 1',
    ...programs,
  },
  { ...trace, title: 'a hold does not keep the log', find: 'batch.readers === 1 && batch.time <= held', replace: 'batch.readers === 1' },
  {
    ...trace,
    title: 'a read in the past adds what came later',
    find: '(values.get(value) ?? 0) - (batch.differences[i] as number)',
    replace: '(values.get(value) ?? 0) + (batch.differences[i] as number)',
  },
  {
    ...trace,
    title: 'a cut leaves out its own time',
    find: 'batch.time > from && batch.time <= to',
    replace: 'batch.time > from && batch.time < to',
  },
  { ...checkpoint, title: 'keys that changed since the cut are evicted', find: 'touched[key] === 1 || ', replace: '' },
  { ...checkpoint, title: 'an evicted key is loaded at every touch', find: '      this.evicted[keys[i]] = 0\n', replace: '' },
  {
    ...programs,
    file: 'runtime/trace/trace-store.ts',
    title: 'a restore takes all shards',
    find: '(hash) => shards(virtualShard(hash))',
    replace: '() => true',
  },
  {
    ...checkpoint,
    ...programs,
    title: 'what was adopted is not stored',
    find: 'this.store.write(this.contentOf(Int32Array.from(keys), Int32Array.from(values), Int32Array.from(differences)), time)\n    const { name } = this.hold',
    replace:
      'this.store.write(this.contentOf(new Int32Array(0), new Int32Array(0), new Int32Array(0)), time)\n    const { name } = this.hold',
  },
  {
    file: 'runtime/trace/general-journal.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'a cut of a loop takes what came after its time, too',
    find: 'if (this.outers[i] > outer) this.write',
    replace: 'if (this.outers[i] < 0) this.write',
  },
  {
    file: 'runtime/trace/general-checkpoint.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'a key is evicted from a loop although it changed after the last cut',
    find: 'if (recent[key] === 1 ||',
    replace: 'if (',
  },
  {
    file: 'runtime/trace/general-checkpoint.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'loop coordinates are lost in the store',
    find: 'times[depth * i + d] = inner[3 * i + d]',
    replace: 'times[depth * i + d] = 0',
  },
  {
    file: 'runtime/graph/region.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'a hold does not hold the times of a loop',
    find: 'if (this.held[i].time + 1 < end) end',
    replace: 'if (this.held[i].time < 0) end',
  },
  {
    file: 'operators/general-join.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'a join in a loop does not bring evicted keys back',
    find: 'other.trace.load((this.delta as Batch).columns[0], (this.delta as Batch).n)',
    replace: '',
  },
  {
    file: 'runtime/trace/general-trace.ts',
    caughtBy: 'tests/trace/general-checkpoint.test.ts',
    title: 'rows are added to an evicted key of a loop, and come back a second time',
    find: 'this.load(keys, n)\n      for',
    replace: 'for',
  },
]
