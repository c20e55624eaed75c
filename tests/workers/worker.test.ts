/** Dataflows that come and go on a worker, and messages that come too early, too late, or from another generation. */
import { expect, test } from 'vitest'
import { ArrangeOperator } from '../../operators/arrange.ts'
import { Builder } from '../../operators/builder.ts'
import { InputOperator } from '../../operators/input.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { Operator } from '../../runtime/graph/operator.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import type { PeerMessage } from '../../runtime/protocol/message.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { KeyTable } from '../../runtime/trace/key-table.ts'
import { Worker } from '../../worker/worker.ts'

const schema = new Schema({ k: int32, v: int32 })
const KEYS = 64

interface Installed {
  readonly timeline: Timeline
  readonly input: InputOperator
  readonly arranged: ArrangeOperator
}

function install(worker: Worker, id: number): Installed {
  const graph = new Dataflow(`dataflow ${id}`, worker.dictionary)
  let installed: Installed | null = null
  worker.add(id, graph, () => {
    const timeline = new Timeline(() => 0, 0)
    const input = new InputOperator(graph, 'input', schema, timeline)
    const rows = new Builder(graph, []).exchange(streamOf(input, schema), [0])
    installed = { timeline, input, arranged: new ArrangeOperator(rows, [0], [int32], new KeyTable([int32])) }
  })
  return installed as unknown as Installed
}

function feed({ input }: Installed, time: number): void {
  input.changeRows(
    Array.from({ length: KEYS }, (_, k) => ({ k, v: k })),
    1,
  )
  input.seal(time)
}

/** Carries messages until nobody says anything. */
function settle(workers: readonly Worker[]): void {
  for (let quiet = 0; quiet < 2; ) {
    let said = 0
    for (const worker of workers)
      for (const { to, message } of worker.step([])) {
        said++
        for (const other of workers) if (other.index === to) for (const answer of other.step([message])) relay(workers, answer)
      }
    quiet = said === 0 ? quiet + 1 : 0
  }
}

function relay(workers: readonly Worker[], { to, message }: { to: number; message: Parameters<Worker['step']>[0][number] }): void {
  for (const answer of workers[to].step([message])) relay(workers, answer)
}

function pair(generation = 1): Worker[] {
  const shards = ShardTable.even(generation, 2)
  return [new Worker(0, shards), new Worker(1, shards)]
}

test('messages for a dataflow that is not there yet wait for it', () => {
  const workers = pair()
  const first = install(workers[0], 7)
  feed(first, 1)
  const said = workers[0].step([])
  expect(said.some(({ to, message }) => to === 1 && message.kind === 'frame')).toBe(true)
  const early = said.filter(({ to }) => to === 1).map(({ message }) => message)
  expect(workers[1].step(early)).toEqual([])
  expect(workers[1].waiting).toHaveLength(early.length)
  for (const { to, message } of said) if (to === 0) relay(workers, { to, message })
  const second = install(workers[1], 7)
  expect(workers[1].idle).toBe(false)
  second.input.seal(1)
  settle(workers)
  expect(workers[1].waiting).toHaveLength(0)
  expect(first.arranged.frontier).toBe(2)
  expect(first.arranged.trace.stats().rows + second.arranged.trace.stats().rows).toBe(KEYS)
})

test('what is said about a dropped dataflow is ignored, and others go on', () => {
  const workers = pair()
  const dropped = [install(workers[0], 3), install(workers[1], 3)]
  const kept = [install(workers[0], 4), install(workers[1], 4)]
  workers[1].drop(3)
  expect(workers[1].get(3)).toBeUndefined()
  for (const one of dropped) feed(one, 1)
  for (const one of kept) feed(one, 1)
  settle(workers)
  expect(workers[1].waiting).toHaveLength(0)
  expect(kept.map(({ arranged }) => arranged.frontier)).toEqual([2, 2])
  expect(() => install(workers[1], 3)).toThrow(/added twice/)
  expect(() => install(workers[1], 4)).toThrow(/added twice/)
})

test('of all frames of a time a worker says in one message that it took them, when nobody can send more', () => {
  const shards = ShardTable.even(1, 3)
  const workers = [0, 1, 2].map((index) => new Worker(index, shards))
  const installed = workers.map((worker) => install(worker, 1))
  // In the order of their sending, by receiver.
  const underWay: PeerMessage[][] = [[], [], []]
  const said = [0, 0, 0]
  const step = (index: number): number => {
    let count = 0
    for (const { to, message } of workers[index].step(underWay[index].splice(0))) {
      underWay[to].push(message)
      if (message.kind === 'progress' && to === index) said[index]++
      count++
    }
    return count
  }
  const settleAll = (): void => {
    for (let quiet = 0; quiet < 3; ) quiet = step(0) + step(1) + step(2) === 0 ? quiet + 1 : 0
  }
  for (const { timeline, input } of installed) {
    timeline.close()
    input.seal(1)
  }
  settleAll()
  said.fill(0)
  // It can send nothing any more itself, and says so.
  installed[2].input.seal(2)
  step(2)
  expect(said).toEqual([0, 0, 1])
  // A chunk, so that it goes before the time is sealed.
  const rows = Array.from({ length: 2048 }, (_, k) => ({ k, v: k }))
  for (let part = 0; part < 4; part++) {
    for (const sender of [0, 1]) {
      installed[sender].input.changeRows(rows, 1)
      step(sender)
    }
    // It takes frames, but there is nothing to tell while the two may send more.
    expect(underWay[2].some(({ kind }) => kind === 'frame')).toBe(true)
    expect(step(2)).toBe(0)
  }
  installed[0].input.seal(2)
  step(0)
  expect(step(2)).toBe(0)
  installed[1].input.seal(2)
  settleAll()
  expect(installed.map(({ arranged }) => arranged.frontier)).toEqual([3, 3, 3])
  expect(said[2]).toBe(2)
})

test('a dataflow may be dropped before it is added', () => {
  const workers = pair()
  feed(install(workers[0], 5), 1)
  const said = workers[0].step([])
  const early = said.filter(({ to }) => to === 1).map(({ message }) => message)
  workers[1].step(early.slice(0, 1))
  workers[1].drop(5)
  workers[1].step(early.slice(1))
  expect(workers[1].waiting).toHaveLength(0)
  expect(workers[1].idle).toBe(true)
})

test('messages of an older generation are ignored, those of a newer one break an invariant', () => {
  const older = pair(1)
  const newer = pair(2)
  feed(install(older[0], 1), 1)
  install(newer[1], 1)
  const said = older[0].step([]).filter(({ to }) => to === 1)
  newer[1].step(said.map(({ message }) => message))
  expect(newer[1].waiting).toHaveLength(0)
  feed(install(newer[0], 1), 1)
  const later = newer[0].step([]).filter(({ to }) => to === 1)
  expect(() => older[1].step(later.map(({ message }) => message))).toThrow(/generation 2 reached generation 1/)
})

test('early messages are bounded', () => {
  const [worker] = pair()
  const message = { kind: 'progress', generation: 1, dataflow: 9, from: 1, changes: new Float64Array(0) } as const
  worker.step(Array.from({ length: 1 << 14 }, () => message))
  expect(() => worker.step([message])).toThrow(/wait for dataflows such as 9/)
})

test('a dataflow that throws is dropped, and the others go on', () => {
  const workers = pair()
  const failures: unknown[] = []
  for (const worker of workers) worker.onFailure = (id, error) => failures.push([worker.index, id, String(error)])
  class Thrower extends Operator {
    step(): void {
      throw new Error('a function of the user')
    }
  }
  const graph = new Dataflow('failing', workers[0].dictionary)
  workers[0].add(1, graph, () => new Thrower(graph, 'thrower').activate())
  const others = [install(workers[0], 2), install(workers[1], 2)]
  for (const one of others) feed(one, 1)
  settle(workers)
  expect(failures).toEqual([[0, 1, 'Error: a function of the user']])
  expect(workers[0].get(1)).toBeUndefined()
  expect(others.map(({ arranged }) => arranged.frontier)).toEqual([2, 2])
})
