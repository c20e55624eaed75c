/** Runs a scenario on simulated workers, and compares every output at every time with its definition. */

import { forceGeneration } from '../../runtime/data/kernel.ts'
import { WordTable } from '../../runtime/data/word-table.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { Dataflow } from '../../runtime/graph/dataflow.ts'
import { collectGarbage } from '../../runtime/graph/garbage.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { SimulatedCluster } from '../../worker/simulated-cluster.ts'
import { add, type Multiset, plain } from '../oracle/multiset.ts'
import { FrontierCheck } from './frontier-check.ts'
import { evaluate, Inputs, inputName, outputName, type Program, programOf } from './program.ts'
import type { Scenario } from './scenario.ts'
import { rowOf } from './values.ts'

export interface Outcome {
  readonly commits: number
  readonly changes: number
  readonly outputRows: number
  readonly errors: number
  readonly frontierChecks: number
  /** Of everything that the outputs said: the same for the same seed. */
  readonly digest: string
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
  const cluster = new SimulatedCluster(program.job, { workers: scenario.workers, below: (bound) => random.below(bound) })
  const frontiers = new FrontierCheck(cluster.group, cluster.graphs)
  cluster.group.afterAction = () => {
    if (scenario.collect) collect(cluster.graphs)
    frontiers.run(false)
  }
  const inputs = new Inputs(scenario.inputs)
  const expected: Expected[] = []
  let changes = 0
  for (const commit of scenario.commits) {
    for (const { input, values, diff } of commit.changes) {
      changes++
      const { kind, types } = scenario.inputs[input]
      const row = rowOf(types, values)
      if (kind === 'keyed') cluster.upsert(inputName(input), { c0: row['c0'] }, diff > 0 ? row : null)
      else cluster.change(inputName(input), row, diff)
      inputs.apply({ input, values, diff })
    }
    const time = cluster.commit(cluster.time + commit.step)
    expected.push({ time, ...evaluate(program, inputs.contents) })
    for (let action = 0; action < commit.actions; action++) if (!cluster.act()) break
  }
  cluster.settle()
  frontiers.run(true)
  compare(program, cluster, expected)
  const last = expected[expected.length - 1]
  return {
    commits: scenario.commits.length,
    changes,
    outputRows: last?.outputs.reduce((sum, output) => sum + output.size, 0) ?? 0,
    errors: last?.errors ?? 0,
    frontierChecks: frontiers.checks,
    digest: digestOf(program, cluster),
  }
}

/** Dictionary and key ids of workers that are at rest. */
function collect(graphs: readonly Dataflow[]): void {
  for (const graph of graphs) collectGarbage(graph.dictionary, [graph])
}

function compare(program: Program, cluster: SimulatedCluster, expected: readonly Expected[]): void {
  program.outputs.forEach((_, i) => {
    const output = cluster.outputs.get(outputName(i))
    if (output === undefined) throw new Error(`there is no output ${i}`)
    const sum: Multiset = new Map()
    for (const [at, { time, outputs }] of expected.entries()) {
      for (const { row, diff } of output.changes.get(time) ?? []) add(sum, row as Record<string, unknown>, diff)
      same(`output ${i} after commit ${at}`, sum, outputs[i])
    }
    const times = new Set(expected.map(({ time }) => time))
    for (const time of output.changes.keys()) if (!times.has(time)) throw new Error(`output ${i} changes at ${time}, which no commit had`)
    const last = expected[expected.length - 1]
    if (last === undefined || !output.kept) return
    const kept: Multiset = new Map()
    for (const { row, diff } of output.read(last.time)) add(kept, row as Record<string, unknown>, diff)
    same(`what output ${i} keeps`, kept, last.outputs[i])
  })
  let errors = 0
  for (const [at, { time, errors: right }] of expected.entries()) {
    for (const { diff } of cluster.errors.changes.get(time) ?? []) errors += diff
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

function digestOf(program: Program, cluster: SimulatedCluster): string {
  let h = 0x811c9dc5
  const take = (text: string): void => {
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  }
  program.outputs.forEach((_, i) => {
    const changes = [...(cluster.outputs.get(outputName(i))?.changes ?? [])].sort(([a], [b]) => a - b)
    for (const [time, rows] of changes) {
      const sum: Multiset = new Map()
      for (const { row, diff } of rows) add(sum, row as Record<string, unknown>, diff)
      take(`${time}${JSON.stringify(plain(sum))}`)
    }
  })
  return (h >>> 0).toString(16).padStart(8, '0')
}
