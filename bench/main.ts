/** The benchmarks' command line; see USAGE in options.ts. */
import { runAll } from './all.ts'
import { clusterBenchmarks } from './cluster.ts'
import { runExchange } from './exchange.ts'
import { handrolled } from './handrolled.ts'
import { millrace } from './millrace.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { runParallelWorkload } from './parallel.ts'
import { runPeers } from './peers.ts'
import { DEFAULT_SEED } from './random.ts'
import { runWorkload } from './runner.ts'
import { runSoak } from './soak.ts'
import { runStrings } from './strings.ts'
import { isWorkload, workloads } from './workloads.ts'

/** Returns how many things were wrong. */
async function run(options: Options): Promise<number> {
  const [command, ...rest] = options.words
  if (command === 'all') return runAll(options)
  if (command === 'peers') return runPeers(options)
  if (command === 'soak') return runSoak(options)
  if (command === 'strings') return runStrings(options)
  if (command === 'exchange') return runExchange(options)
  if (command !== undefined && Object.hasOwn(clusterBenchmarks, command)) return clusterBenchmarks[command](options)
  if (command === undefined || !isWorkload(command)) {
    const commands = [...Object.keys(workloads), 'all', 'peers', 'soak', 'strings', 'exchange', ...Object.keys(clusterBenchmarks)].join(
      ', ',
    )
    throw new Error(`${command === undefined ? 'No command' : `There is no command "${command}"`}; one of ${commands}.\n\n${USAGE}`)
  }
  if (options.workers * options.processes > 1) {
    const { workers, processes, seed, input, output, feed, wait, warm } = options
    const data = { workload: command, args: rest.map(Number), seed, forms: { input, output }, feed, warm }
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
