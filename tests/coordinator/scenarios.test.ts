import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../coordinator/options.ts'
import { SECOND, Stage, type StageOptions } from './stage.ts'

/** A cluster of w1, w2 and w3, each with a follower, that runs a job `views`. */
async function running(options: StageOptions = {}): Promise<Stage> {
  const stage = new Stage(options)
  for (const name of stage.names) stage.coordinate(name)
  await stage.run(0.5)
  for (const name of ['w1', 'w2', 'w3']) stage.join(name, { follower: 10 })
  await stage.deploy('views', { partitions: 4 })
  await stage.until('it runs', () => stage.runs('w1', 'w2', 'w3'))
  await stage.progress('views')
  await stage.run(0.3)
  return stage
}

const resets = (stage: Stage): number => [...stage.processes.values()].reduce((sum, process) => sum + process.resets, 0)
const visible = (stage: Stage, job: string): number => stage.job(job)?.visible ?? 0

describe('members', () => {
  test('processes that join together begin one generation, and one that comes late the next', async () => {
    const stage = await running()
    expect(stage.group()).toMatchObject({ generation: 1, state: 'running', reason: 'processes w1, w2, w3 joined' })
    expect(
      stage
        .group()
        ?.processes.map(({ shards }) => shards)
        .sort(),
    ).toEqual([340, 342, 342])
    stage.join('w4', { follower: 10, threads: 1 })
    await stage.until('all four run', () => stage.runs('w1', 'w2', 'w3', 'w4'))
    expect(stage.group()).toMatchObject({ generation: 2, reason: 'process w4 joined' })
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('the first generation waits for as many processes as it was told', async () => {
    const stage = new Stage({ minimumProcesses: 3 })
    stage.coordinate()
    stage.join('w1')
    stage.join('w2')
    await stage.deploy('views', { partitions: 1 })
    await stage.run(3)
    expect(stage.group()).toMatchObject({ generation: 0, state: 'waiting' })
    expect(stage.job('views')).toMatchObject({ state: 'waiting', message: 'waits for a generation of its group' })
    expect(stage.events).toContain('waits for 3 processes, 2 so far')
    stage.join('w3')
    await stage.until('it runs', () => stage.runs('w1', 'w2', 'w3'))
    // Only the first: what remains goes on.
    stage.world.crash('w3')
    await stage.until('it runs on', () => stage.runs('w1', 'w2'))
  })

  test('a process that is killed is lost within a second, and followers go on where they were', async () => {
    const stage = await running()
    stage.world.crash('w2')
    const before = stage.world.now
    await stage.until('w2 is lost', () => stage.events.some((text) => text.startsWith('process w2 lost')))
    expect(stage.world.now - before).toBeLessThan(SECOND)
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    await stage.progress('views')
    // Whole again, with small state, long before anybody loses patience.
    expect(stage.world.now - before).toBeLessThan(3 * SECOND)
    expect(stage.group()?.reason).toMatch(/^process w2 lost: its connection broke .* did not come back within 500 ms$/)
    expect(resets(stage)).toBe(0)
  })

  test('a process that stops is lost by its lease, shows nothing when it wakes, and joins again', async () => {
    const stage = await running()
    stage.world.pause('w2')
    const before = stage.world.now
    await stage.until('w2 is lost', () => stage.events.some((text) => text.startsWith('process w2 lost')))
    expect(stage.world.now - before).toBeLessThan(2 * SECOND)
    expect(stage.events.at(-1)).toMatch(/^process w2 lost: no heartbeat for 1\.[78] s$/)
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    await stage.progress('views')
    stage.world.resume('w2')
    expect(stage.process('w2').shows).toBe(false)
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    expect(stage.process('w2').resumed).toBe(false)
    await stage.progress('views')
  })

  test('a process whose main thread hangs is lost although its connection is there', async () => {
    const stage = await running()
    stage.process('w3').hang()
    await stage.until('w3 is lost', () => stage.runs('w1', 'w2'), 3)
    expect(stage.group()?.reason).toMatch(/^process w3 lost: no heartbeat/)
  })

  test('a connection that breaks for a moment costs nothing', async () => {
    const stage = await running()
    for (let i = 0; i < 5; i++) {
      for (const name of ['w1', 'w2', 'w3']) stage.world.breakConnections(name, 'c1')
      await stage.progress('views')
      await stage.run(0.6)
    }
    expect(stage.group()).toMatchObject({ generation: 1, state: 'running' })
    expect(stage.process('w1').resumed).toBe(true)
    expect(stage.process('w1').kind('welcome')).toHaveLength(6)
  })

  test('a process whose connection is cut answers until its lease is over, and nothing new is visible before', async () => {
    const stage = await running()
    stage.world.breakConnections('w3', 'c1')
    await stage.run(0.01)
    stage.world.partition('w3', 'c1')
    await stage.until('the others run', () => stage.runs('w1', 'w2'))
    expect(stage.process('w3').shows).toBe(true)
    const before = visible(stage, 'views')
    await stage.until('w3 knows', () => !stage.process('w3').shows)
    expect(visible(stage, 'views')).toBe(before)
    await stage.progress('views')
  })

  test('a second process of the same name is refused while the first one lives, and takes its place when it does not', async () => {
    const stage = await running()
    stage.join('x1', { name: 'w1' })
    await stage.until('it is refused', () => stage.processes.has('x1') && stage.process('x1').refusals.length > 0)
    expect(stage.process('x1').refusals[0]).toMatchObject({ code: 'DUPLICATE_NAME', retry: true })
    expect(stage.runs('w1', 'w2', 'w3')).toBe(true)
    stage.world.crash('w1')
    await stage.until('it has joined', () => stage.process('x1').prepare !== null)
    expect(stage.group()?.reason).toMatch(/process w1 lost: another process took its name|process w1 joined/)
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
  })

  test('whoever does not belong is told why', async () => {
    const stage = await running()
    stage.join('old', { protocol: { least: 3, most: 5 } })
    stage.join('lost', { cluster: 'other' })
    stage.join('bad', { name: 'no/name' })
    await stage.until('they are refused', () =>
      ['old', 'lost', 'bad'].every((name) => (stage.processes.get(name)?.refusals.length ?? 0) > 0),
    )
    expect(stage.process('old').refusals[0]).toMatchObject({ code: 'PROTOCOL', retry: false })
    expect(stage.process('lost').refusals[0]).toMatchObject({ code: 'REFUSED', retry: false })
    expect(stage.process('bad').refusals[0]).toMatchObject({ code: 'CONFIG', retry: false })
    stage.join('stranger', { token: 'guess' })
    await stage.run(1)
    expect(stage.process('stranger').received).toEqual([])
    expect(stage.group()?.generation).toBe(1)
  })

  test('members of two releases speak what both know, and a third that does not is refused', async () => {
    const stage = new Stage()
    stage.coordinate()
    stage.join('w1', { protocol: { least: 1, most: 1 } })
    stage.join('w2', { protocol: { least: 1, most: 2 } })
    await stage.until('they run', () => stage.group()?.generation === 1 && stage.process('w2').prepare !== null)
    expect(stage.process('w2').prepare?.protocol).toBe(1)
    stage.join('w3', { protocol: { least: 2, most: 2 } })
    await stage.until('it is refused', () => (stage.processes.get('w3')?.refusals.length ?? 0) > 0)
    expect(stage.process('w3').refusals[0].message).toMatch(/w1 of the same group only 1/)
  })

  test('whoever says nothing, or garbage, is shown out', async () => {
    const stage = await running()
    const { network } = stage.world.host('stranger')
    const connecting = network.connect('http://c1:7070/control', { token: 'open-sesame' })
    const connection = await stage.world.settled(connecting, SECOND)
    let reason = ''
    connection.onClose = (why) => {
      reason = why
    }
    await stage.run(2.9)
    expect(reason).toBe('')
    await stage.run(0.2)
    expect(reason).not.toBe('')
    const elsewhere = network.connect('http://c1:7070/peer', { token: 'open-sesame' })
    await expect(stage.world.settled(elsewhere, SECOND)).rejects.toMatchObject({ code: 'REFUSED' })
    stage.process('w1').sendBytes(new Uint8Array([1, 2, 3]))
    await stage.run(0.4)
    expect(stage.process('w1').kind('welcome')).toHaveLength(2)
    await stage.progress('views')
    expect(stage.group()?.generation).toBe(1)
  })
})

describe('leaving', () => {
  test('a process that wants to go is released when the others go on without it', async () => {
    const stage = await running()
    stage.process('w2').leave()
    await stage.until('it is released', () => stage.process('w2').released)
    await stage.until('the others run', () => stage.runs('w1', 'w3'))
    expect(stage.group()?.reason).toBe('process w2 is leaving')
    await stage.run(2)
    expect(stage.events.filter((text) => text.includes('lost'))).toEqual([])
    expect(stage.group()).toMatchObject({ generation: 2 })
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('anybody can be drained from outside; the last one too, and the job waits', async () => {
    const stage = await running()
    for (const name of ['w1', 'w2', 'w3']) {
      expect((await stage.request('POST', `/v1/processes/${name}/drain`)).status).toBe(202)
      await stage.until('it is released', () => stage.process(name).released)
    }
    expect((await stage.request('POST', '/v1/processes/w1/drain')).body.error).toMatchObject({ code: 'UNKNOWN_NAME' })
    await stage.until('nobody is there', () => stage.group()?.state === 'empty')
    expect(stage.job('views')).toMatchObject({ state: 'waiting', message: 'waits for processes of its group' })
    stage.join('w4')
    await stage.until('it runs', () => stage.runs('w4'))
    await stage.progress('views')
  })
})

describe('jobs', () => {
  test('come, are replaced and go while others run, within one generation', async () => {
    const stage = await running()
    await stage.deploy('totals', { partitions: 2, temporal: true })
    await stage.until('both run', () => stage.runs('w1', 'w2', 'w3') && stage.job('totals')?.state === 'running')
    await stage.progress('totals')
    const { dataflow } = stage.job('totals') ?? {}
    await stage.deploy('totals', { partitions: 3 })
    await stage.until('the new one runs', () => stage.job('totals')?.state === 'running' && stage.job('totals')?.dataflow !== dataflow)
    expect(
      stage
        .process('w1')
        .kind('drop')
        .map((message) => message.dataflow),
    ).toEqual([dataflow])
    expect(stage.store.facts.facts.has(`replay/${dataflow}`)).toBe(false)
    await stage.progress('totals')
    const { status, body } = await stage.request('DELETE', '/v1/jobs/totals')
    expect([status, body.job?.state]).toEqual([200, 'dropped'])
    expect(stage.job('totals')).toBeNull()
    await stage.progress('views')
    expect(stage.group()?.generation).toBe(1)
    expect([...stage.store.facts.facts.keys()].filter((key) => key.startsWith('bundle/'))).toHaveLength(1)
  })

  test('the same again changes nothing', async () => {
    const stage = await running()
    await stage.deploy('views', { partitions: 4 })
    await stage.run(1)
    expect(stage.process('w1').kind('install')).toHaveLength(1)
  })

  test('one that fails when it is loaded is dropped, and the others go on', async () => {
    const stage = await running()
    await stage.deploy('bad', { partitions: 1, failsInstall: ['w2'] })
    await stage.until('it fails', () => stage.job('bad')?.state === 'failed')
    expect(stage.job('bad')?.message).toBe('w2: it throws when it is loaded')
    await stage.progress('views')
    stage.world.crash('w3')
    await stage.until('the others run', () => stage.runs('w1', 'w2'))
    expect(
      stage
        .process('w1')
        .kind('install')
        .filter(({ job }) => job.name === 'bad'),
    ).toHaveLength(1)
    // It is tried again when somebody deploys it again.
    await stage.deploy('bad', { partitions: 1, failsInstall: ['w2'] })
    await stage.until(
      'it fails again',
      () =>
        stage
          .process('w1')
          .kind('install')
          .filter(({ job }) => job.name === 'bad').length === 2,
    )
  })

  test('one that stops later is dropped, and the others go on', async () => {
    const stage = await running()
    await stage.deploy('bad', { partitions: 1, failsAfter: 300 })
    await stage.until('it fails', () => stage.job('bad')?.state === 'failed')
    expect(stage.job('bad')?.message).toMatch(/^w\d: an operator threw$/)
    await stage.progress('views')
    expect(stage.group()?.generation).toBe(1)
  })

  test('one that is never installed fails at a deadline, and the group begins anew without it', async () => {
    const stage = await running({ limits: { installMilliseconds: 5000 } })
    await stage.deploy('stuck', { partitions: 1, hangsInstall: ['w3'] })
    await stage.run(1)
    await stage.progress('views')
    expect(stage.job('stuck')).toMatchObject({ state: 'starting', message: 'waits for w3' })
    await stage.until('it fails', () => stage.job('stuck')?.state === 'failed', 6)
    expect(stage.job('stuck')?.message).toMatch(/not installed within 5 s by w3/)
    await stage.until('the others run', () => stage.runs('w1', 'w2', 'w3') && stage.group()?.generation === 2)
    await stage.progress('views')
  })

  test('one that brings processes down again and again is found out, and fails', async () => {
    const stage = await running()
    await stage.deploy('killer', { partitions: 1, crashesStart: ['w1', 'w2', 'w3'] })
    for (const name of ['w1', 'w2', 'w3'])
      stage.world.schedule(0, function again() {
        if (stage.world.host(name).state === 'dead') stage.world.restart(name)
        stage.world.schedule(SECOND, again)
      })
    await stage.until('it fails', () => stage.job('killer')?.state === 'failed', 60)
    expect(stage.job('killer')?.message).toMatch(/^processes crashed 5 times while it was starting/)
    await stage.until('the others run', () => stage.runs('w1', 'w2', 'w3'), 30)
    expect(stage.job('views')?.state).toBe('running')
    await stage.progress('views')
  })

  test('groups do not know of each other', async () => {
    const stage = await running()
    stage.join('b1', { group: 'batch' })
    await stage.deploy('heavy', { partitions: 2 }, 'batch')
    await stage.until('both run', () => stage.job('heavy')?.state === 'running')
    stage.world.crash('b1')
    await stage.until('b1 is lost', () => stage.group('batch')?.processes.length === 0)
    await stage.progress('views')
    expect(stage.group()).toMatchObject({ generation: 1, state: 'running' })
    expect(stage.job('heavy')?.state).toBe('waiting')
    expect(stage.process('w1').kind('install')).toHaveLength(1)
  })
})

describe('times', () => {
  test('an idle job has few: one a second, or four if rows come and go with time', async () => {
    const stage = new Stage()
    stage.coordinate()
    stage.join('w1')
    await stage.deploy('quiet', { partitions: 1, quiet: true })
    await stage.deploy('temporal', { partitions: 1, quiet: true, temporal: true })
    await stage.until('they run', () => stage.runs('w1'))
    const minted = (dataflow: number): number =>
      stage
        .process('w1')
        .kind('advance')
        .flatMap((message) => message.minted)
        .filter((one) => one.dataflow === dataflow).length
    const before = [minted(0), minted(1)]
    await stage.run(20)
    expect(minted(0) - before[0]).toBe(20)
    expect(minted(1) - before[1]).toBe(80)
  })

  test('a slow process holds back, and is named; no more times than the bound are open', async () => {
    const stage = await running()
    stage.join('slow', { slowness: 8000, follower: 10 })
    await stage.until('they run', () => stage.runs('w1', 'w2', 'w3', 'slow'), 60)
    await stage.until('times wait', () => stage.job('views')?.open === DEFAULT_LIMITS.maximumOpenTimes)
    await stage.run(1.3)
    const job = stage.job('views')
    expect(job?.open).toBeLessThanOrEqual(DEFAULT_LIMITS.maximumOpenTimes)
    expect(job?.lagMilliseconds).toBeGreaterThan(500)
    expect(job?.heldBackBy).toMatchObject({ process: 'slow', operator: 'join#3' })
  })

  test('go on whatever the clock does', async () => {
    const stage = await running()
    for (const hours of [-5, 48, -48, 0.5]) {
      stage.world.jumpClock('c1', hours * 3600 * SECOND)
      await stage.progress('views')
      await stage.run(3)
    }
    stage.world.restart('c1')
    await stage.until('it leads again', () => stage.runs('w1', 'w2', 'w3'))
    await stage.progress('views')
    expect(resets(stage)).toBe(0)
  })

  test('are compacted a second after they were visible, and not before followers have heard of them', async () => {
    const stage = await running()
    await stage.run(3)
    const compactions = stage
      .process('w1')
      .kind('advance')
      .flatMap(({ compactTo }) => compactTo.map(({ time }) => time))
    expect(compactions.length).toBeGreaterThan(1)
    expect(compactions).toEqual([...compactions].sort((a, b) => a - b))
    const lag = visible(stage, 'views') - (compactions.at(-1) ?? 0)
    expect(lag).toBeGreaterThan(0.9 * SECOND)
    expect(lag).toBeLessThan(3 * SECOND)
  })

  test('a follower that holds back too far is given up, and the others are not', async () => {
    const stage = await running({ limits: { maximumReplayTimes: 50 } })
    stage.join('behind', { follower: 10, holdsBack: true })
    await stage.until('they run', () => stage.runs('w1', 'w2', 'w3', 'behind'))
    await stage.until('it was told something', () => stage.process('behind').hasFollower)
    await stage.run(5)
    stage.join('w5')
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3', 'behind', 'w5'))
    await stage.progress('views')
    expect(stage.process('behind').resets).toBe(1)
    expect(resets(stage)).toBe(1)
  })
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

describe('processes that do not reach each other', () => {
  test('the younger one is left out for a while, and comes back when it is reached', async () => {
    const stage = await running()
    stage.join('w4', { follower: 10 })
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3', 'w4'))
    stage.part('w1', 'w4')
    await stage.until('w4 is out', () => stage.runs('w1', 'w2', 'w3'))
    await stage.progress('views')
    expect(stage.group()?.processes.find(({ name }) => name === 'w4')).toMatchObject({ state: 'left out', shards: 0 })
    expect(stage.group()?.reason).toMatch(/does not reach/)
    // It is tried again, in vain, and the others are not disturbed for ever.
    await stage.run(20)
    expect(stage.group()?.generation).toBeLessThan(9)
    stage.heal()
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3', 'w4'), 60)
    await stage.progress('views')
  })

  test('one that nobody reaches is the one, however old', async () => {
    const stage = await running()
    for (const name of ['w2', 'w3']) stage.part('w1', name)
    await stage.until('w1 is out', () => stage.runs('w2', 'w3'))
    await stage.progress('views')
  })

  test('one that does not prepare is left out', async () => {
    const stage = await running()
    stage.join('dull', { slowness: 1e9, preparesNever: true })
    await stage.until('it is out', () => stage.group()?.processes.find(({ name }) => name === 'dull')?.state === 'left out')
    expect(stage.group()?.processes.find(({ name }) => name === 'dull')?.problem).toBe('dull did not prepare within 5 s')
    await stage.until('the others run', () => stage.runs('w1', 'w2', 'w3'))
    await stage.progress('views')
  })
})

describe('what is late', () => {
  test('reports of an older generation are ignored', async () => {
    const stage = await running()
    stage.world.crash('w3')
    await stage.until('the others run', () => stage.runs('w1', 'w2'))
    const run = { kind: 'report', generation: 1, dataflow: 0, live: true, waiting: true, cuts: [], told: null } as const
    stage.process('w1').send({ ...run, complete: Number.MAX_SAFE_INTEGER })
    stage.process('w1').send({ kind: 'failed', generation: 1, dataflow: 0, code: 'JOB', message: 'late' })
    stage.process('w1').send({ kind: 'unreachable', generation: 1, peers: [stage.process('w2').id], reason: 'late' })
    stage.process('w1').send({ kind: 'prepared', generation: 1 })
    await stage.run(2)
    await stage.progress('views')
    expect(stage.group()).toMatchObject({ generation: 2, state: 'running' })
  })

  test('a cut of a time that is visible, other than it was known, costs its sender the membership', async () => {
    const stage = await running()
    const { assignments } = stage.process('w1').kind('start')[0]
    const mine = assignments.find(({ worker }) => worker < 2)
    const cut = { input: mine?.input ?? '', partition: mine?.partition ?? '', time: visible(stage, 'views'), position: 10_000_000 }
    const report = { kind: 'report', generation: 1, dataflow: 0, live: true, waiting: false, complete: 0, told: null } as const
    stage.process('w1').send({ ...report, cuts: [cut] })
    await stage.until('w1 is lost', () => stage.events.some((text) => /process w1 lost: a cut of .* comes late/.test(text)))
    await stage.until('all run', () => stage.runs('w1', 'w2', 'w3'))
    await stage.progress('views')
  })
})
