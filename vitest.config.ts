import { defineConfig } from 'vitest/config'

const common = { environment: 'node', pool: 'forks', setupFiles: ['tests/property-seed.ts'] }

/** Not slow, but together more than one waits for while writing: real processes, models checked exhaustively, long properties. */
const THOROUGH = [
  'tests/api/{lifecycle,shared,state,type-check-time}.test.ts',
  'tests/bad-input/exit.test.ts',
  'tests/channel/row-combiner.test.ts',
  'tests/cli/commands.test.ts',
  'tests/connectors/file/follow-property.test.ts',
  'tests/connectors/replayable.test.ts',
  'tests/coordinator/{chaos,jobs-and-times,members}.test.ts',
  'tests/data/dictionary.test.ts',
  'tests/docs/*.test.ts',
  'tests/feature-store/process.test.ts',
  'tests/gateway/gateway.property.test.ts',
  'tests/harness/**/*.test.ts',
  'tests/loops/*.test.ts',
  'tests/metadata/postgres-store.test.ts',
  'tests/operators/{aggregate,group,joins,stateless,threshold}.test.ts',
  'tests/rings/model.test.ts',
  'tests/simulation/simulate.test.ts',
  'tests/thread-service/*.test.ts',
  'tests/threads/*.test.ts',
  'tests/worker-process/integration.test.ts',
]

/**
 * `fast` is what one runs while writing, under a minute; with `thorough` it shares the cores. `slow` has real processes with deadlines and
 * what needs many rounds, one file at a time; all together under fifteen minutes.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'fast', include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**', ...THOROUGH], testTimeout: 30_000 } },
      { test: { ...common, name: 'thorough', include: THOROUGH, testTimeout: 30_000 } },
      { test: { ...common, name: 'slow', include: ['tests/slow/**/*.test.ts'], testTimeout: 600_000 } },
    ],
  },
})
