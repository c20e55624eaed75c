/** Runs a scenario on simulated workers, and compares every output at every time with its definition. */

import { forceGeneration } from '../../runtime/data/kernel.ts'
import { WordTable } from '../../runtime/data/word-table.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { MemoryBlockStore } from '../../runtime/trace/block-store.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { SimulatedCluster } from '../../worker/simulated-cluster.ts'
import type { Worker } from '../../worker/worker.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'
import { FrontierCheck } from './frontier-check.ts'
import { evaluate, Inputs, inputName, outputName, type Program, programOf } from './program.ts'
import type { ChangeSpec, FaultSpec, Scenario } from './scenario.ts'
import { rowOf } from './values.ts'

/** Frontiers are checked after each of so many actions; then, in long runs, after one of so many. */
const CHECKED_ACTIONS = 4_000
const CHECKED_LATER = 16

export interface Outcome {
  readonly commits: number
  readonly changes: number
  readonly outputRows: number
  readonly errors: number
  readonly frontierChecks: number
  /** Of everything that the outputs said: the same for the same seed. */
  readonly digest: string
}

/** A generation of workers, and the times at which what it said counts: after `from`, up to `to`. */
interface Said {
  readonly cluster: SimulatedCluster
  readonly from: number
  readonly to: number
}

function lastOf(said: readonly Said[]): number {
  return said[said.length - 1]?.to ?? 0
}

/** The changes of an output (or the errors) at a time. A later generation must say again what an earlier one has said. */
function changesAt(said: readonly Said[], name: string | null, time: number): readonly { row: object; diff: number }[] {
  const all = said.map(({ cluster, from, to }) => {
    const output = name === null ? cluster.errors : cluster.outputs.get(name)
    return {
      changes: output?.changes.get(time) ?? [],
      counts: time > from && time <= to,
      complete: time <= cluster.complete && time > cluster.since,
    }
  })
  const right = all.find(({ counts }) => counts)?.changes ?? []
  for (const { changes, complete } of all) if (complete) same(`what generations say at ${time}`, sumOf(changes), sumOf(right))
  return right
}

function sumOf(changes: readonly { row: object; diff: number }[]): Multiset {
  const sum: Multiset = new Map()
  for (const { row, diff } of changes) add(sum, row as Record<string, unknown>, diff)
  return sum
}

/** What an output should hold at the time of each commit. */
interface Expected {
  readonly time: number
  readonly outputs: readonly Multiset[]
  readonly errors: number
}

/** @throws Error that says where the engine and the definitions differ */
export function runScenario(scenario: Scenario): Outcome {
  return withForced(scenario, () => run(scenario))
}

function withForced<T>({ forceHash, interpret }: Scenario, work: () => T): T {
  KeyTable.forceHash = forceHash
  WordTable.forceHash = forceHash ? 7 : null
  forceGeneration(interpret ? false : undefined)
  try {
    return work()
  } finally {
    KeyTable.forceHash = false
    WordTable.forceHash = null
    forceGeneration(undefined)
  }
}

function run(scenario: Scenario): Outcome {
  const program = programOf(scenario)
  const random = new SeededRandom(scenario.seed)
  const faulty = scenario.commits.some(({ faults }) => faults.length > 0)
  const blocks = new MemoryBlockStore()
  const start = (workers: number, since = 0, from?: SimulatedCluster): { cluster: SimulatedCluster; frontiers: FrontierCheck } => {
    const below = (bound: number): number => random.below(bound)
    const cluster = new SimulatedCluster(program.job, {
      workers,
      below,
      since,
      ...(faulty ? { blocks } : {}),
      ...(from === undefined ? {} : { from }),
    })
    const frontiers = new FrontierCheck(cluster.group, cluster.graphs)
    let actions = 0
    cluster.group.afterAction = () => {
      if (scenario.collect) collect(cluster.group.workers)
      if (actions++ < CHECKED_ACTIONS || actions % CHECKED_LATER === 0) frontiers.run(false)
    }
    return { cluster, frontiers }
  }
  let { cluster, frontiers } = start(scenario.workers)
  let checks = 0
  /** The last cut, the cluster that made it, and what was fed since. */
  let cut: { time: number; cluster: SimulatedCluster | undefined } = { time: 0, cluster: undefined }
  let since: { readonly time: number; readonly changes: readonly ChangeSpec[] }[] = []
  const said: Said[] = []
  const feed = ({ input, values, diff }: ChangeSpec): void => {
    const { kind, types } = scenario.inputs[input]
    const row = rowOf(types, values)
    if (kind === 'keyed') cluster.upsert(inputName(input), { c0: row['c0'] }, diff > 0 ? row : null)
    else cluster.change(inputName(input), row, diff)
  }
  const suffer = (fault: FaultSpec): void => {
    if (fault.kind === 'evict') cluster.evict((key) => ((key * 7 + fault.seed) & 3) !== 0)
    else if (fault.kind === 'cut') {
      if (cluster.time <= cut.time) return
      cut = { time: cluster.cut(), cluster }
      since = []
    } else {
      checks += frontiers.checks
      said.push({ cluster, from: lastOf(said), to: cut.time })
      ;({ cluster, frontiers } = start(fault.workers, cut.time, cut.cluster))
      if (cut.cluster !== undefined) cut = { time: cut.time, cluster }
      for (const { time, changes } of since) {
        cluster.setClock(time)
        for (const change of changes) feed(change)
        cluster.commit()
      }
    }
  }
  const inputs = new Inputs(scenario.inputs)
  const expected: Expected[] = []
  let changes = 0
  for (const commit of scenario.commits) {
    cluster.setClock(cluster.time + commit.step)
    for (const { input, values, diff } of commit.changes) {
      changes++
      feed({ input, values, diff })
      inputs.apply({ input, values, diff })
    }
    const time = cluster.commit()
    expected.push({ time, ...evaluate(program, inputs.contents, time) })
    since.push({ time, changes: commit.changes })
    for (let action = 0; action < commit.actions; action++) if (!cluster.act()) break
    for (const fault of commit.faults) suffer(fault)
  }
  cluster.settle()
  frontiers.run(true)
  said.push({ cluster, from: lastOf(said), to: cluster.time })
  compare(program, said, expected)
  const last = expected[expected.length - 1]
  return {
    commits: scenario.commits.length,
    changes,
    outputRows: last?.outputs.reduce((sum, output) => sum + output.size, 0) ?? 0,
    errors: last?.errors ?? 0,
    frontierChecks: checks + frontiers.checks,
    digest: digestOf(program, said),
  }
}

/** Dictionary and key ids of workers that are at rest. */
function collect(workers: readonly Worker[]): void {
  for (const worker of workers) worker.collectGarbage()
}

function compare(program: Program, said: readonly Said[], expected: readonly Expected[]): void {
  const { cluster } = said[said.length - 1]
  const times = new Set(expected.map(({ time }) => time))
  const last = expected[expected.length - 1]
  program.outputs.forEach((_, i) => {
    const sum: Multiset = new Map()
    for (const [at, { time, outputs }] of expected.entries()) {
      for (const { row, diff } of changesAt(said, outputName(i), time)) add(sum, row as Record<string, unknown>, diff)
      same(`output ${i} after commit ${at}`, sum, outputs[i])
    }
    const output = cluster.outputs.get(outputName(i))
    for (const time of output?.changes.keys() ?? [])
      if (!times.has(time)) throw new Error(`output ${i} changes at ${time}, which no commit had`)
    if (last === undefined || output?.kept !== true) return
    same(`what output ${i} keeps`, sumOf(output.read(last.time)), last.outputs[i])
  })
  let errors = 0
  for (const [at, { time, errors: right }] of expected.entries()) {
    for (const { diff } of changesAt(said, null, time)) errors += diff
    if (errors !== right) throw new Error(`after commit ${at} there are ${errors} errors, not ${right}`)
  }
}

function same(what: string, is: Multiset, should: Multiset): void {
  const found = plain(is)
  const wanted = plain(should)
  const lines: string[] = []
  for (const text of new Set([...Object.keys(found), ...Object.keys(wanted)]))
    if (found[text] !== wanted[text]) lines.push(`${text}: ${found[text] ?? 0} times, not ${wanted[text] ?? 0}`)
  if (lines.length > 0) throw new Error(`${what} differs:\n  ${lines.slice(0, 10).join('\n  ')}`)
}

function digestOf(program: Program, said: readonly Said[]): string {
  let h = 0x811c9dc5
  const take = (text: string): void => {
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  }
  program.outputs.forEach((_, i) => {
    for (const { cluster, from, to } of said) {
      const changes = [...(cluster.outputs.get(outputName(i))?.changes ?? [])].filter(([time]) => time > from && time <= to)
      for (const [time, rows] of changes.sort(([a], [b]) => a - b)) take(`${time}${JSON.stringify(plain(sumOf(rows)))}`)
    }
  })
  return (h >>> 0).toString(16).padStart(8, '0')
}
