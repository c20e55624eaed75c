/** Runs a case in a process of its own, alone on the machine's benchmark lock, within the protocol's time limit. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Case, caseName } from './expected.ts'
import type { Options } from './options.ts'
import type { Result } from './runner.ts'

export type EngineName = 'millrace' | 'handrolled' | 'db-ivm' | 'd2ts'
export type Run = { readonly result: Result } | { readonly failure: string }

const LIMIT_SECONDS = 180
/** Longest wait for the lock: the case of another run is over by then. */
const LOCK_SECONDS = 1800
/** Peers need more than V8's default at the largest sizes. */
const PEER_HEAP_MB = 8000

/** This file runs as dist/bench/child.js. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export function runCase(engine: EngineName, one: Pick<Case, 'workload' | 'args'>, options: Options): Run {
  const peer = engine === 'db-ivm' || engine === 'd2ts'
  const node = [
    '--expose-gc',
    ...(peer ? [`--max-old-space-size=${PEER_HEAP_MB}`, `${root}bench/peers/run.mjs`, engine] : [`${root}dist/bench/main.js`]),
  ]
  const args = [one.workload, ...one.args.map(String), '--seed', String(options.seed)]
  if (!peer) args.push('--engine', engine, '--input', options.input, '--output', options.output, ...parallelArguments(options))
  const { command, prefix } = guarded()
  const { stdout, stderr, status, error } = spawnSync(command, [...prefix, ...node, ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (error !== undefined) return { failure: error.message }
  if (status !== 0) return { failure: failureOf(status, stderr) }
  return { result: JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Result }
}

function parallelArguments({ workers, processes, feed, wait, warm }: Options): string[] {
  const args = ['--workers', String(workers), '--processes', String(processes), '--feed', feed, '--wait', wait]
  return warm > 0 ? [...args, '--warm', String(warm)] : args
}

function failureOf(status: number | null, stderr: string): string {
  if (status === null || status === 137) return `not done in ${LIMIT_SECONDS} s`
  return stderr.match(/^.*(?:Error|FATAL ERROR).*$/m)?.[0] ?? `exit ${status}: ${stderr.trim().slice(-300)}`
}

let guard: { command: string; prefix: string[] } | undefined

/** The command before node's arguments; util-linux and coreutils lock and limit where they are there. */
function guarded(): { command: string; prefix: string[] } {
  const there = (tool: string): boolean => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0
  guard ??=
    there('flock') && there('timeout')
      ? {
          command: 'flock',
          prefix: ['-w', String(LOCK_SECONDS), `${root}.bench.lock`, 'timeout', '-s', 'KILL', String(LIMIT_SECONDS), process.execPath],
        }
      : { command: process.execPath, prefix: [] }
  return guard
}

/** Runs until `repeats` results are there; a failure ends them. Progress goes to stderr. */
export function repeatCase(engine: EngineName, one: Case, options: Options): Run[] {
  const runs: Run[] = []
  for (let i = 0; i < options.repeats && !runs.some((run) => 'failure' in run); i++) {
    runs.push(runCase(engine, one, options))
    if (process.stderr.isTTY) process.stderr.write(`${engine} ${caseName(one)}: ${i + 1} of ${options.repeats}\n`)
  }
  return runs
}

/** The run in the middle by the time of its rounds. */
export function medianRun(results: readonly Result[]): Result {
  return [...results].sort((a, b) => a.rounds_ms - b.rounds_ms)[Math.floor((results.length - 1) / 2)] as Result
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
