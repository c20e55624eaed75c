/** Random programs on thread services equal their definitions: as followers hear it, as it is read, and as it is counted. */
import { describe, expect, test } from 'vitest'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../../operators/job.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import { GatewayShape } from '../../worker/process/gateway-shape.ts'
import { TooLarge } from '../harness/family.ts'
import { generate, type Wanted } from '../harness/generate.ts'
import { evaluate, Inputs, inputName, outputName, type Program, programOf } from '../harness/program.ts'
import type { ChangeSpec, Scenario } from '../harness/scenario.ts'
import { rowOf } from '../harness/values.ts'
import { add, type Multiset, plain, textOf } from '../oracle/multiset.ts'
import { type Heard, JobTable, Threads } from './threads.ts'

const FLOW = 7

interface Expected {
  readonly time: number
  readonly changes: readonly ChangeSpec[]
  readonly outputs: readonly Multiset[]
  readonly errors: number
}

/** Somebody who knows an output as of some time, and follows it from there. */
interface Reader {
  readonly output: number
  readonly after: number
  readonly known: Multiset
  readonly heard: Heard
}

function expectedOf(program: Program, scenario: Scenario): Expected[] {
  const inputs = new Inputs(scenario.inputs)
  let time = 0
  return scenario.commits.map(({ changes, step }) => {
    for (const change of changes) inputs.apply(change)
    time += step
    return { time, changes, ...evaluate(program, inputs.contents, time) }
  })
}

function summed(rows: readonly { readonly row: object; readonly diff: number }[]): Multiset {
  const set: Multiset = new Map()
  for (const { row, diff } of rows) add(set, row as Record<string, unknown>, diff)
  return set
}

/** The changes of one time to threads: all commands for a key to one of them, in their order. */
function feed(
  threads: Threads,
  scenario: Scenario,
  changes: readonly ChangeSpec[],
  below: (bound: number) => number,
  workers: number,
): void {
  const route = new Map<string, number>()
  for (const { input, values, diff } of changes) {
    const { kind, types } = scenario.inputs[input]
    const row = rowOf(types, values)
    if (kind !== 'keyed') {
      const run: ChangeRun = { op: diff > 0 ? 'insert' : 'remove', rows: Array.from({ length: Math.abs(diff) }, () => row) }
      threads.feed(FLOW, inputName(input), [run])
      continue
    }
    const text = `${input} ${Number.isNaN(Number(row['c0'])) ? textOf(row['c0']) : Number(row['c0'])}`
    const thread = route.get(text) ?? below(workers)
    route.set(text, thread)
    const run: ChangeRun = diff > 0 ? { op: 'upsert', rows: [row] } : { op: 'delete', rows: [{ c0: row['c0'] }] }
    threads.feed(FLOW, inputName(input), [run], thread)
  }
}

function check(seed: number, workers: number, wanted: Wanted = {}): void {
  const scenario = generate(seed, { ...wanted, workers })
  const program = programOf(scenario)
  const random = new SeededRandom(scenario.seed)
  const below = (bound: number): number => random.below(bound)
  let expected: Expected[]
  try {
    expected = expectedOf(program, scenario)
  } catch (error) {
    if (error instanceof TooLarge) return
    throw error
  }
  const threads = new Threads(8, new JobTable(), below, [1, 2, 8][seed % 3])
  const job = program.job as unknown as Job<InputDefinitions, OutputDefinitions>
  const streams = (thread: number): string => `seed ${seed}, thread ${thread}`
  threads.configure(1, workers)
  threads.install(FLOW, job)
  const outputs = program.outputs.map((_, i) => i)
  const kept = (i: number): boolean => i % 3 !== 2
  const readers: Reader[] = outputs.map((output) => ({
    output,
    after: 0,
    known: new Map(),
    heard: threads.follow(FLOW, outputName(output), 0).heard,
  }))
  const owners = [...ShardTable.even(1, workers).owners]
  let compacted = 0
  const look = (): void => {
    const visible = threads.show(FLOW, (time) => {
      compacted = below(2) === 0 ? time : Math.max(compacted, time - below(3))
      return compacted
    })
    const times = expected.map(({ time }) => time).filter((time) => time >= compacted && time <= visible)
    if (times.length === 0) return
    const time = times[below(times.length)]
    const right = expected.find((one) => one.time === time) as Expected
    const output = below(outputs.length)
    if (!kept(output)) return
    const { rows, errors, threads: places } = threads.read(FLOW, outputName(output), time)
    const shape = threads.shapeOf(FLOW, outputName(output))
    if (shape.sharded) expect(rows.map(({ row }) => new GatewayShape(shape).workerOf(row, owners))).toEqual(places)
    expect(errors, streams(-1)).toEqual([])
    expect(plain(summed(rows)), `output ${output} read as of ${time}, ${streams(-1)}`).toEqual(plain(right.outputs[output]))
    readers.push({ output, after: time, known: summed(rows), heard: threads.follow(FLOW, outputName(output), time).heard })
    if (threads.flows.get(FLOW)?.visible !== visible) throw new Error('the time stands still')
  }
  for (const [at, { time, changes }] of expected.entries()) {
    feed(threads, scenario, changes, below, workers)
    threads.advance(FLOW, time)
    for (let action = 0; action < scenario.commits[at].actions; action++) if (!threads.act()) break
    if (below(2) === 0) look()
  }
  threads.settle()
  look()
  threads.settle()
  expect(threads.broken).toEqual([])
  expect(threads.failed).toEqual([])
  const last = expected[expected.length - 1]
  expect(threads.completeAt(FLOW)).toBe(last.time)
  for (const { output, after, known, heard } of readers) {
    expect(heard.acknowledged.size).toBe(workers)
    expect(heard.errors).toEqual([])
    for (const right of expected)
      if (right.time >= after)
        expect(
          plain(heard.upTo(right.time, new Map(known))),
          `output ${output} followed after ${after}, as of ${right.time}, seed ${seed}`,
        ).toEqual(plain(right.outputs[output]))
    for (const time of heard.changes.keys()) expect(time).toBeGreaterThan(after)
  }
  expect(threads.askStats().reduce((sum, { dataflows }) => sum + dataflows[0].errors, 0)).toBe(last.errors)
  replay(threads, scenario, program, expected, below)
}

/** A new generation on other threads, which know some of its times: all up to some time under that time, the rest as it was. */
function replay(
  threads: Threads,
  scenario: Scenario,
  program: Program,
  expected: readonly Expected[],
  below: (bound: number) => number,
): void {
  const first = below(expected.length)
  const workers = [1, 2, 3][below(3)]
  const since = expected[first].time - 1
  threads.configure(2, workers)
  const known = expected.slice(first, first + below(expected.length - first + 1)).map(({ time }) => time)
  threads.install(FLOW, program.job as unknown as Job<InputDefinitions, OutputDefinitions>, since, known)
  const readers = program.outputs.map((_, output) => {
    const at = first + below(expected.length - first)
    return { output, at, heard: threads.follow(FLOW, outputName(output), expected[at].time).heard }
  })
  feed(
    threads,
    scenario,
    expected.slice(0, first + 1).flatMap(({ changes }) => changes),
    below,
    workers,
  )
  for (let action = below(200); action > 0; action--) threads.act()
  threads.advance(FLOW, expected[first].time)
  for (const { changes, time } of expected.slice(first + 1)) {
    feed(threads, scenario, changes, below, workers)
    threads.advance(FLOW, time)
    for (let action = below(20); action > 0; action--) threads.act()
  }
  threads.settle()
  expect(threads.broken).toEqual([])
  for (const { output, at, heard } of readers) {
    expect(heard.errors).toEqual([])
    for (const { time, outputs } of expected.slice(at))
      expect(plain(heard.upTo(time, new Map(expected[at].outputs[output]))), `output ${output} replayed, as of ${time}`).toEqual(
        plain(outputs[output]),
      )
  }
}

describe('random programs on thread services', () => {
  test.each([1, 2, 3, 5])('on %i threads', (workers) => {
    for (let seed = 5000 * workers; seed < 5000 * workers + Math.ceil(40 / (workers + 1)); seed++) check(seed, workers)
  })

  test('with rows that come and go with time', () => {
    for (let seed = 130; seed < 140; seed++) check(seed, 2, { families: ['valid', 'join', 'filter', 'map'] })
  })
})
