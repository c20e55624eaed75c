/** Texts that wait on a worker, or on their way to one, keep their content through garbage collections on both sides. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Builder } from '../../operators/builder.ts'
import { InputOperator } from '../../operators/input.ts'
import { OutputOperator } from '../../operators/output.ts'
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { WireDecoder, WireEncoder } from '../../runtime/channel/wire.ts'
import { int32, nullable, text } from '../../runtime/data/column-type.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import type { PeerMessage } from '../../runtime/protocol/message.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { Worker } from '../../worker/worker.ts'

const WORKERS = 3
const schema = new Schema({ k: text, v: int32, note: nullable(text) })

interface Row {
  readonly k: string
  readonly v: number
  readonly note: string | null
}

/** Workers whose messages go through bytes, and which take them when told. */
class Group {
  readonly workers: readonly Worker[]
  readonly inputs: InputOperator[] = []
  readonly seen: string[] = []
  private readonly links: Uint8Array[][] = Array.from({ length: WORKERS }, () => [])
  private readonly encoder = new WireEncoder(true)
  private readonly decoder = new WireDecoder()

  constructor(protocols: readonly number[]) {
    const shards = ShardTable.even(1, WORKERS)
    this.workers = protocols.map((_, index) => {
      const worker = new Worker(index, shards, (other) => Math.min(protocols[index], protocols[other]))
      this.add(worker, 0)
      return worker
    })
  }

  add(worker: Worker, id: number): void {
    const graph = new Dataflow(`dataflow ${id}`, worker.dictionary)
    worker.add(id, graph, () => {
      const input = new InputOperator(graph, 'input', schema, new Timeline(() => 0, 0))
      if (id === 0) this.inputs[worker.index] = input
      const rows = new Builder(graph, []).exchange(streamOf(input, schema), [0])
      new OutputOperator(rows, 'rows').subscribe(({ time, changes }) => {
        for (const { row, diff } of changes) this.seen.push(`${time} ${JSON.stringify(row)} ${diff}`)
      })
    })
  }

  step(index: number): void {
    for (const { to, message } of this.workers[index].step([])) this.links[to].push(this.encoder.encode(message).slice())
  }

  receive(index: number, most: number): void {
    const inbox: PeerMessage[] = this.links[index].splice(0, most).map((bytes) => this.decoder.read(bytes))
    for (const { to, message } of this.workers[index].step(inbox, 1)) this.links[to].push(this.encoder.encode(message).slice())
  }

  settle(): void {
    for (let rounds = 0; rounds < 40; rounds++)
      for (let index = 0; index < WORKERS; index++) {
        this.step(index)
        this.receive(index, 1000)
      }
  }
}

function inputOf(worker: Worker, id: number): InputOperator {
  return worker.get(id)?.graph.operators[0] as unknown as InputOperator
}

const words = ['a', 'b', 'c', 'd', 'e', 'a key that is longer', 'another key that is longer', 'ü', '日本']
const row: fc.Arbitrary<Row> = fc.record({
  k: fc.constantFrom(...words),
  v: fc.integer({ min: 0, max: 3 }),
  note: fc.option(fc.constantFrom(...words)),
})
const worker = fc.integer({ min: 0, max: WORKERS - 1 })
const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('feed' as const), worker, rows: fc.array(row, { minLength: 1, maxLength: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('seal' as const), worker }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('step' as const), worker }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('receive' as const), worker, most: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('collect' as const), worker }) },
)

test.each([
  ['told once', [2, 2, 2]],
  ['with each frame', [1, 1, 1]],
  ['either, by destination', [2, 1, 2]],
])('rows keep their texts, %s', (_, protocols) => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const group = new Group(protocols)
      const times = [1, 1, 1]
      const expected: string[] = []
      const seal = (index: number): void => {
        group.inputs[index].seal(times[index])
        times[index]++
      }
      const pending: { readonly worker: number; readonly rows: Row[] }[] = []
      for (const step of actions) {
        if (step.kind === 'feed') {
          group.inputs[step.worker].changeRows(step.rows, 1)
          pending.push({ worker: step.worker, rows: step.rows })
        } else if (step.kind === 'seal') {
          for (const { worker: w, rows } of pending)
            if (w === step.worker) for (const one of rows.splice(0)) expected.push(`${times[w]} ${JSON.stringify(one)}`)
          seal(step.worker)
        } else if (step.kind === 'step') group.step(step.worker)
        else if (step.kind === 'receive') group.receive(step.worker, step.most)
        else group.workers[step.worker].collectGarbage()
      }
      for (const { worker: w, rows } of pending) for (const one of rows.splice(0)) expected.push(`${times[w]} ${JSON.stringify(one)}`)
      const last = Math.max(...times)
      for (let w = 0; w < WORKERS; w++) while (times[w] <= last) seal(w)
      group.settle()
      const said = group.seen.flatMap((line) => {
        const [, text, diff] = /^(.*) (-?\d+)$/.exec(line) as RegExpExecArray
        return Array<string>(Number(diff)).fill(text)
      })
      expect(said.sort()).toEqual(expected.sort())
    }),
    { numRuns: 300 },
  )
})

test.each([1, 2])('frames for a dataflow that is not there yet, or no more, keep and teach their strings (protocol %i)', (protocol) => {
  const group = new Group([protocol, protocol, protocol])
  const [first, second] = group.workers
  for (const id of [1, 2]) group.add(first, id)
  second.drop(1)
  const inputs = [1, 2].map((id) => inputOf(first, id))
  const rows = words.map((k, v) => ({ k, v, note: null }))
  for (const input of inputs) {
    input.changeRows(rows, 1)
    input.seal(1)
  }
  group.step(0)
  group.receive(1, 100)
  expect(second.waiting.length).toBeGreaterThan(0)
  expect(second.collectGarbage()).toBe(true)
  for (const index of [1, 2]) group.add(group.workers[index], 2)
  for (const index of [1, 2]) inputOf(group.workers[index], 2).seal(1)
  for (let w = 0; w < WORKERS; w++) group.inputs[w].seal(1)
  group.workers[2].drop(1)
  first.drop(1)
  group.settle()
  expect(group.seen.sort()).toEqual(rows.map((one) => `1 ${JSON.stringify(one)} 1`).sort())
})
