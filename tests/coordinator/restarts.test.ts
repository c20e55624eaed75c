import { trace } from '@opentelemetry/api'
import { afterEach, describe, expect, test } from 'vitest'
import { recordSpans } from '../log/recorded-spans.ts'
import { resets, running, visible } from './running.ts'
import { SECOND } from './stage.ts'

afterEach(() => trace.disable())

test('deployments and the beginnings of generations are spans', async () => {
  const spans = recordSpans()
  const stage = await running()
  stage.world.crash('w2')
  await stage.until('the others run', () => stage.runs('w1', 'w3'))
  const group = { 'millrace.group': 'default' }
  expect(spans).toEqual([
    { name: 'millrace.deploy', attributes: { ...group, 'millrace.job': 'views' }, status: null, ended: true },
    { name: 'millrace.generation', attributes: { ...group, 'millrace.generation': 1, 'millrace.members': 3 }, status: null, ended: true },
    { name: 'millrace.generation', attributes: { ...group, 'millrace.generation': 2, 'millrace.members': 2 }, status: null, ended: true },
  ])
})

describe('the coordinator', () => {
  test('that crashes and comes back goes on where it was', async () => {
    const stage = await running()
    const before = visible(stage, 'views')
    for (let i = 0; i < 3; i++) {
      stage.world.restart('c1')
      await stage.until('it leads', () => stage.runs('w1', 'w2', 'w3'))
      await stage.progress('views')
      await stage.run(1)
    }
    expect(stage.group()?.generation).toBe(1)
    expect(stage.status?.epoch).toBe(4)
    expect(stage.events).toContain('generation 1 goes on: all 3 processes came back')
    expect(visible(stage, 'views')).toBeGreaterThan(before)
    expect(resets(stage)).toBe(0)
  })

  test('that crashes together with a process begins a generation, and followers go on all the same', async () => {
    const stage = await running()
    stage.world.crash('w2')
    stage.world.restart('c1')
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    expect(stage.group()).toMatchObject({ generation: 2, reason: 'the coordinator was away, and w2 did not come back with what they had' })
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('that is stopped while a process is lost leaves nothing open', async () => {
    const stage = await running()
    await stage.world.settled(stage.coordinators.get('c1')?.stop() ?? Promise.resolve(), 5 * SECOND)
    stage.world.crash('w2')
    stage.world.restart('c1')
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('does not wait for a member that has forgotten all', async () => {
    const stage = await running()
    stage.world.crash('c1')
    stage.world.restart('w2')
    await stage.run(0.2)
    stage.world.restart('c1')
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    expect(stage.group()?.generation).toBe(2)
    await stage.progress('views')
  })

  test('deploys and drops what it was told before it was away', async () => {
    const stage = await running()
    await stage.deploy('totals', { partitions: 2 })
    await stage.request('DELETE', '/v1/jobs/views')
    stage.world.restart('c1')
    await stage.until('it leads', () => stage.leader !== null && stage.job('totals')?.state === 'running')
    expect(stage.status?.jobs.map(({ name }) => name)).toEqual(['totals'])
    await stage.progress('totals')
    // A process that never had the bundle gets it from the store.
    stage.join('w4')
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3', 'w4'))
  })

  test('has a standby that takes over by the lease; the old one writes and tells nothing any more', async () => {
    const stage = await running({ coordinators: ['c1', 'c2'] })
    const first = stage.leader?.url === 'http://c1:7070' ? 'c1' : 'c2'
    const second = first === 'c1' ? 'c2' : 'c1'
    stage.world.pause(first)
    const stopped = stage.world.now
    await stage.until('the other leads', () => stage.coordinators.get(second)?.leads === true)
    expect(stage.world.now - stopped).toBeLessThan(6 * SECOND)
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    expect(stage.group()?.generation).toBe(1)
    await stage.progress('views')
    stage.world.resume(first)
    await stage.progress('views')
    expect(stage.coordinators.get(first)?.leads).toBe(false)
    expect(resets(stage)).toBe(0)
    await stage.run(1)
    const { status, body } = await stage.request('GET', '/v1/jobs', undefined, { to: first })
    expect([status, body.error?.code, body.error?.hint]).toEqual([503, 'NOT_LEADER', `The leader is http://${second}:7070.`])
  })

  test('that is stopped hands over at once', async () => {
    const stage = await running({ coordinators: ['c1', 'c2'] })
    const first = stage.leader?.url === 'http://c1:7070' ? 'c1' : 'c2'
    const before = stage.world.now
    await stage.world.settled(stage.coordinators.get(first)?.stop() ?? Promise.resolve(), 5 * SECOND)
    await stage.until('the other leads', () => stage.runs('w1', 'w2', 'w3'))
    expect(stage.world.now - before).toBeLessThan(2 * SECOND)
    expect(stage.group()?.generation).toBe(1)
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('does not touch a store of another cluster', async () => {
    const stage = await running()
    const other = stage.elsewhere('c9', { cluster: 'other' })
    stage.world.crash('c1')
    await stage.run(6)
    await expect(stage.world.settled(other.start(), 5 * SECOND)).rejects.toThrow(/belongs to the cluster "test", not to "other"/)
  })
})

describe('the store', () => {
  test('may fail for a moment', async () => {
    const stage = await running()
    stage.store.failing = true
    stage.world.schedule(0.3 * SECOND, () => {
      stage.store.failing = false
    })
    stage.world.crash('w2')
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    await stage.progress('views')
    expect(stage.status?.epoch).toBe(1)
  })

  test('that is gone for long ends the minting of times, and then the leadership; when it is back all goes on', async () => {
    const stage = await running()
    stage.store.failing = true
    await stage.run(2.5)
    const visibleThen = stage.process('w1').lastVisible.get(0)
    await stage.run(6)
    expect(stage.leader).toBeNull()
    expect(stage.process('w1').lastVisible.get(0)).toBe(visibleThen)
    stage.store.failing = false
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    expect(stage.group()?.generation).toBe(1)
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('that does not answer is as bad', async () => {
    const stage = await running()
    stage.store.hanging = true
    await stage.run(6)
    expect(stage.leader).toBeNull()
    stage.store.hanging = false
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    await stage.progress('views')
  })
})
