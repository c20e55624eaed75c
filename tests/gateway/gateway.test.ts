/** What random groups do not come across often enough. */
import { beforeEach, expect, test } from 'vitest'
import { int32 } from '../../runtime/data/column-type.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { Gateway } from '../../worker/process/gateway.ts'
import { LINGER_MILLISECONDS } from '../../worker/process/gateway-subscription.ts'
import { ANSWER_WINDOW_BYTES } from '../../worker/process/peer-service.ts'
import type { DataflowView } from '../../worker/process/process-view.ts'
import { DATAFLOW, FakeGroup, type FakeProcess, JOB, outputShape } from './fake-group.ts'
import { TestReader } from './reader.ts'

let environment: SimulatedEnvironment
let group: FakeGroup
let processes: FakeProcess[]
let gateways: Gateway[]

beforeEach(async () => {
  environment = new SimulatedEnvironment({ seed: 9 })
  group = new FakeGroup(environment, 9, [outputShape('rows', { id: int32 }, { key: ['id'], sharded: true })])
  processes = [group.add('a', 1), group.add('b', 2)]
  gateways = processes.map((process) => {
    const gateway = new Gateway(process)
    process.face = gateway.events
    return gateway
  })
  group.begin(processes, null)
  await environment.run(200_000)
})

const put = (id: number, step?: number): number => group.commit(new Map([['rows', [{ row: { id }, diff: 1 } as CountedRow]]]), step)

async function follow(gateway: Gateway, wish: { snapshot?: boolean; after?: number } = { snapshot: true }): Promise<TestReader> {
  const reader = new TestReader(group, 'rows')
  void reader.read(gateway.follow({ job: JOB, output: 'rows', ...wish }), () => Promise.resolve())
  await environment.run(300_000)
  return reader
}

test('a replay that begins one microsecond after what a follower has is not one that reaches back to it', async () => {
  put(1)
  await environment.run(200_000)
  const reader = await follow(gateways[0])
  const next = put(2, 1)
  group.begin(processes, next)
  await environment.run(1_000_000)
  expect(reader.resets).toBe(1)
  reader.checkCaughtUp()
})

test('after a failure nothing older is shown than before, whatever becomes visible first', async () => {
  const first = put(1)
  await environment.run(200_000)
  const second = put(2)
  await environment.run(200_000)
  const reader = await follow(gateways[0])
  for (const process of processes) process.leave()
  group.begin([processes[0]], first)
  await environment.run(1000)
  const dataflow = processes[0].generation?.dataflows.get(DATAFLOW) as DataflowView
  processes[0].change({ ...dataflow, visible: first, live: true })
  processes[0].face?.onVisible(DATAFLOW, first)
  expect(gateways[0].jobs[0]).toMatchObject({ state: 'starting', time: null })
  const found = gateways[0].read({ job: JOB, output: 'rows', limit: 10 })
  await environment.run(1_000_000)
  expect(await found).toMatchObject({ time: second })
  expect(reader.events.filter(({ kind }) => kind !== 'snapshot')).toEqual([])
})

test('what followers have is told for reports, and lingers until the last has been gone for a while', async () => {
  expect(gateways[0].events.told(DATAFLOW)).toBeNull()
  const time = put(1)
  await environment.run(200_000)
  const follower = gateways[0].follow({ job: JOB, output: 'rows' })
  await environment.run(200_000)
  expect(gateways[0].events.told(DATAFLOW)).toBe(time)
  expect(gateways[0].events.told(DATAFLOW + 1)).toBeNull()
  const later = put(2)
  await environment.run(200_000)
  // It has not read it, but it is in its queue, which outlives generations.
  expect(gateways[0].events.told(DATAFLOW)).toBe(later)
  for (const process of processes) process.leave()
  expect(gateways[0].events.told(DATAFLOW)).toBe(later)
  follower.cancel()
  await environment.run(LINGER_MILLISECONDS * 1000 + 1)
  expect(gateways[0].events.told(DATAFLOW)).toBeNull()
})

test('a process that cannot take what it asked for is told so, and asks again', async () => {
  const reader = await follow(gateways[0])
  processes[1].service.bufferedBytes = ANSWER_WINDOW_BYTES + 1
  for (let i = 0; i < 20; i++) put(i)
  await environment.run(2_000_000)
  processes[1].service.bufferedBytes = 0
  await environment.run(2_000_000)
  expect(reader.resets).toBe(0)
  reader.checkCaughtUp()
  expect(processes[1].commands.filter(({ kind }) => kind === 'follow').length).toBeGreaterThan(2)
})

test('a snapshot with too many rows for one message comes in several, and is shared by all who begin there', async () => {
  group.commit(new Map([['rows', Array.from({ length: 20_000 }, (_, id) => ({ row: { id }, diff: 1 }))]]))
  await environment.run(200_000)
  const before = processes[1].commands.length
  const readers = [0, 1, 2].map(() => new TestReader(group, 'rows'))
  for (const reader of readers) void reader.read(gateways[0].follow({ job: JOB, output: 'rows', snapshot: true }), () => Promise.resolve())
  await environment.run(2_000_000)
  for (const reader of readers) {
    reader.checkCaughtUp()
    expect(reader.state).toHaveLength(20_000)
  }
  // Its two workers were read once.
  expect(processes[1].commands.slice(before).filter(({ kind }) => kind === 'read')).toHaveLength(2)
})

test('a job that is deployed anew under its name is another one', async () => {
  const reader = await follow(gateways[0])
  for (const process of processes) process.drop()
  await environment.run(1000)
  expect(reader.ended).toMatchObject({ code: 'UNKNOWN_NAME' })
  await expect(gateways[0].read({ job: JOB, output: 'rows', limit: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_NAME' })
})
