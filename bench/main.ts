/** The benchmarks' command line; see USAGE in options.ts. */
import { handrolled } from './handrolled.ts'
import { millrace } from './millrace.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { DEFAULT_SEED } from './random.ts'
import { runWorkload } from './runner.ts'
import { isWorkload, workloads } from './workloads.ts'

/**
 * Each returns how many things were wrong, or how many goals were missed. Loaded when they run: the memory of a run of one workload is a
 * figure, and clusters are no part of it.
 */
const commands: Readonly<Record<string, (options: Options) => Promise<number>>> = {
  all: async (options) => (await import('./all.ts')).runAll(options),
  peers: async (options) => (await import('./peers.ts')).runPeers(options),
  soak: async (options) => (await import('./soak.ts')).runSoak(options),
  strings: async (options) => (await import('./strings.ts')).runStrings(options),
  exchange: async (options) => (await import('./exchange.ts')).runExchange(options),
  recovery: async (options) => (await import('./recovery.ts')).runRecovery(options),
  idle: async (options) => (await import('./idle.ts')).runIdle(options),
  'slow-worker': async (options) => (await import('./slow-worker.ts')).runSlowWorker(options),
  groups: async (options) => (await import('./groups.ts')).runGroups(options),
}

async function run(options: Options): Promise<number> {
  const [command, ...rest] = options.words
  if (command !== undefined && Object.hasOwn(commands, command)) return commands[command](options)
  if (command === undefined || !isWorkload(command)) {
    const known = [...Object.keys(workloads), ...Object.keys(commands)].join(', ')
    throw new Error(`${command === undefined ? 'No command' : `There is no command "${command}"`}; one of ${known}.\n\n${USAGE}`)
  }
  if (options.workers * options.processes > 1) {
    const { workers, processes, seed, input, output, feed, wait, warm } = options
    const data = { workload: command, args: rest.map(Number), seed, forms: { input, output }, feed, warm }
    const { runParallelWorkload } = await import('./parallel.ts')
    const result = await runParallelWorkload({ ...data, workers, processes, waiting: wait })
    console.log(JSON.stringify({ ...result, ...marks(options) }))
    return 0
  }
  const engine = options.engine === 'millrace' ? millrace(options) : handrolled
  const result = runWorkload(options.engine, engine, command, rest.map(Number), options.seed, options.warm)
  console.log(JSON.stringify({ ...result, ...marks(options) }))
  return 0
}

/** What is not as in the figures that count. */
function marks({ engine, input, output, seed, workers, processes, feed, wait, warm }: Options): object {
  return {
    ...(engine === 'millrace' ? { workers } : {}),
    ...(processes > 1 ? { processes } : {}),
    ...(workers * processes > 1 && feed === 'one' ? { feed } : {}),
    ...(workers * processes > 1 && wait !== 'adapt' ? { wait } : {}),
    ...(warm > 0 ? { warm } : {}),
    ...(engine === 'millrace' && input !== 'rows' ? { input } : {}),
    ...(engine === 'millrace' && output !== 'columns' ? { output } : {}),
    ...(seed !== DEFAULT_SEED ? { seed } : {}),
  }
}

try {
  const wrong = await run(parseOptions(process.argv.slice(2)))
  process.exitCode = wrong > 0 ? 1 : 0
} catch (error) {
  console.error(error instanceof Error && error.name !== 'Error' && error.name !== 'RangeError' ? error : String(error))
  process.exitCode = 2
}
