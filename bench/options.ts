/** The command line of the benchmarks. */
import { parseArgs } from 'node:util'
import type { Waiting } from './parallel-run.ts'
import { DEFAULT_SEED } from './random.ts'

export interface Options {
  /** What is neither an option nor its value: a command, or a workload and its arguments. */
  readonly words: readonly string[]
  readonly seed: number
  /** How rows enter: row objects (the figures that count), or columns. */
  readonly input: 'rows' | 'columns'
  /** How changes leave: columns (the figures that count), or row objects. */
  readonly output: 'columns' | 'rows'
  readonly engine: 'millrace' | 'handrolled'
  readonly repeats: number
  /** Threads of each process; 1 in 1 process: embedded in this thread. */
  readonly workers: number
  readonly processes: number
  readonly feed: 'all' | 'one'
  /** How several workers wait. */
  readonly wait: Waiting
  /** Rounds before those that are measured. */
  readonly warm: number
  readonly quick: boolean
}

export const USAGE = `usage: npm run -s bench -- COMMAND [OPTION]...
  WORKLOAD A B BATCH ROUNDS   one run: degrees, join, reach, words, topk or wide
  all                         every case of the protocol, each in a process of its own, checksums checked
  peers [WORKLOAD]...         the same work on other engines beside ours, in turn; installs them into bench/peers
  soak                        a million rounds of small changes: latency and memory stay level
  strings                     ever-new strings in a sliding window: memory stays level
  exchange                    rows a second between threads and processes, short rounds, and workloads on more workers
  recovery                    one of three worker processes is killed under load: until it is noticed, and until all is whole
  idle                        a cluster that has nothing to do: bytes between processes, and processor time
  slow-worker                 one worker is a hundred times slower for a minute: memory stays bounded
  groups                      a job that burns its group's processor time: reads of another group's job
options:
  --seed S                    the input's random seed (default ${DEFAULT_SEED})
  --input rows|columns        how rows enter (default rows)
  --output columns|rows       how changes leave (default columns)
  --state memory              where state lives (only memory so far)
  --workers N                 worker threads, each of which feeds its share (default 1: this thread, embedded)
  --processes P               so many processes of N threads each (default 1)
  --feed all|one              with several workers: all feed their share, or one feeds everything (default all)
  --wait adapt|spin|park      with several workers: they spin while cores are free (default), never sleep, or never spin
  --warm R                    so many more rounds come first and are not timed, nor a part of the protocol (default 0)
  --repeats N                 runs a case in all, peers, exchange and recovery; medians are printed (default 3)
  --quick                     a run under 20 s`

/** @throws Error, with what to do, for whatever is not understood or not there. */
export function parseOptions(argv: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      input: { type: 'string', default: 'rows' },
      output: { type: 'string', default: 'columns' },
      engine: { type: 'string', default: 'millrace' },
      state: { type: 'string', default: 'memory' },
      workers: { type: 'string', default: '1' },
      processes: { type: 'string', default: '1' },
      feed: { type: 'string', default: 'all' },
      wait: { type: 'string', default: 'adapt' },
      warm: { type: 'string' },
      repeats: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  oneOf('state', values.state, ['memory'])
  return {
    words: positionals,
    seed: wholeNumber('seed', values.seed),
    input: oneOf('input', values.input, ['rows', 'columns']),
    output: oneOf('output', values.output, ['columns', 'rows']),
    engine: oneOf('engine', values.engine, ['millrace', 'handrolled']),
    repeats: wholeNumber('repeats', values.repeats ?? (values.quick ? '1' : '3')),
    quick: values.quick,
    workers: wholeNumber('workers', values.workers),
    processes: wholeNumber('processes', values.processes),
    feed: oneOf('feed', values.feed, ['all', 'one']),
    warm: values.warm === undefined ? 0 : wholeNumber('warm', values.warm),
    wait: oneOf<Waiting>('wait', values.wait, ['adapt', 'spin', 'park']),
  }
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new Error(`--${name} is ${choices.join(' or ')}, not "${value}"`)
  return found
}

export function wholeNumber(name: string, value: string): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < 1 || number > 0xffffffff)
    throw new Error(`${name} must be a whole number from 1 to 2^32 - 1, not "${value}"`)
  return number
}
