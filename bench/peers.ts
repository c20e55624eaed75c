/**
 * Other engines on the same work beside ours: in turn, each run in a process of its own, outcomes checked. A goal is met by
 * the figure itself, or by its ratio to an engine that is measured in the same run (machines differ).
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type EngineName, median, root, runCase } from './child.ts'
import { type Case, caseName, cases, mismatches, quickCases } from './expected.ts'
import { advantage, type Figure, figureOf, type Goal, goals } from './goals.ts'
import type { Options } from './options.ts'
import { DEFAULT_SEED } from './random.ts'
import type { Result } from './runner.ts'
import { isWorkload } from './workloads.ts'

const ENGINES: readonly EngineName[] = ['millrace', 'handrolled', 'db-ivm', 'd2ts']

/** What a peer cannot do: db-ivm has no iteration; d2ts as published gives wrong output or throws once edges change. */
const UNSUPPORTED: { readonly [E in EngineName]?: readonly string[] } = { 'db-ivm': ['reach'], d2ts: ['reach'] }
const QUICK = ['degrees 10000 100000 1000 20', 'join 10000 20000 1000 20', 'words 10000 100000 1000 20', 'topk 1000 50000 1000 20']

/** Returns the number of runs of ours that were wrong. */
export function runPeers(options: Options): number {
  if (options.seed !== DEFAULT_SEED) throw new Error('peers runs with the default seed: its outcomes are in a table')
  const wanted = options.words.slice(1)
  const unknown = wanted.find((word) => !isWorkload(word))
  if (unknown !== undefined) throw new Error(`there is no workload "${unknown}"`)
  install()
  const named = options.quick ? QUICK : [...new Set(goals.map((goal) => goal.name))]
  const list = (options.quick ? quickCases : cases).filter((one) => named.includes(caseName(one)))
  let wrong = 0
  for (const one of list) {
    if (wanted.length > 0 && !wanted.includes(one.workload)) continue
    const { results, failures } = measure(one, options)
    for (const [engine, failure] of failures) console.error(`${engine} ${caseName(one)}: ${failure}`)
    if (failures.has('millrace')) wrong++
    for (const line of compare(one, results)) console.log(JSON.stringify(line))
  }
  return wrong
}

function install(): void {
  const folder = `${root}bench/peers`
  if (existsSync(`${folder}/node_modules`)) return
  console.error('Installing the peers into bench/peers')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('npm ci in bench/peers failed')
}

interface Measured {
  readonly results: Map<EngineName, Result[]>
  readonly failures: Map<EngineName, string>
}

/** Engines take turns, so that a slow spell of the machine falls on all. */
function measure(one: Case, options: Options): Measured {
  const results = new Map<EngineName, Result[]>()
  const failures = new Map<EngineName, string>()
  for (let i = 0; i < options.repeats; i++) {
    for (const engine of ENGINES) {
      if (failures.has(engine) || UNSUPPORTED[engine]?.includes(one.workload) === true) continue
      const run = runCase(engine, one, options)
      const wrong = 'failure' in run ? run.failure : mismatches(run.result, one.expected).join(', ')
      if (wrong !== '') failures.set(engine, wrong)
      else if ('result' in run) results.set(engine, [...(results.get(engine) ?? []), run.result])
    }
  }
  for (const engine of failures.keys()) results.delete(engine)
  return { results, failures }
}

function compare(one: Case, results: Map<EngineName, Result[]>): object[] {
  const name = caseName(one)
  const set = goals.filter((goal) => goal.name === name)
  const figures: { figure: Figure; goal?: Goal }[] =
    set.length > 0 ? set.map((goal) => ({ figure: goal.figure, goal })) : [{ figure: 'updates_per_s' }]
  return figures.map(({ figure, goal }) => {
    const medians = new Map([...results].map(([engine, runs]) => [engine, median(runs.map((run) => figureOf(run, figure)))]))
    const ours = medians.get('millrace')
    const times: Record<string, number> = {}
    if (ours !== undefined)
      for (const [engine, other] of medians) if (engine !== 'millrace') times[engine] = rounded(advantage(figure, ours, other))
    return {
      case: name,
      figure,
      ...Object.fromEntries([...medians].map(([engine, value]) => [engine, rounded(value)])),
      times_better_than: times,
      ...(goal === undefined || ours === undefined ? {} : verdict(goal, ours, medians)),
    }
  })
}

function verdict(goal: Goal, ours: number, medians: ReadonlyMap<EngineName, number>): object {
  const met: string[] = []
  if (advantage(goal.figure, ours, goal.reach) >= 1) met.push('figure')
  for (const [engine, then] of Object.entries(goal.others) as [EngineName, number][]) {
    const now = medians.get(engine)
    if (now !== undefined && advantage(goal.figure, ours, now) >= advantage(goal.figure, goal.reach, then)) met.push(`ratio to ${engine}`)
  }
  return { goal: goal.reach, reached: met.length > 0, by: met }
}

const rounded = (value: number): number => (value >= 1000 ? Math.round(value) : +value.toPrecision(3))
