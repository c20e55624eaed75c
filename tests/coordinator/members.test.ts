import { describe, expect, test } from 'vitest'
import { resets, running, visible } from './running.ts'
import { SECOND, Stage } from './stage.ts'

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
    expect(stage.group()?.reason).toMatch(/process w1 lost: its connection broke .* and another process took its name|process w1 joined/)
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

  test('one is left out once, also if the next generation has to wait for longer than its members may take', async () => {
    const slow = { maximumGenerations: 1, generationQuietMilliseconds: 1e9, backoffMilliseconds: 8000 }
    const stage = await running({ limits: { ...slow, exclusionMilliseconds: 20_000 } })
    stage.join('w4')
    stage.part('w1', 'w4')
    await stage.until('w4 is out', () => stage.group()?.processes.some(({ state }) => state === 'left out') === true)
    await stage.until('the others go on', () => stage.runs('w1', 'w2', 'w3'), 60)
    expect(stage.events.filter((text) => text.includes('is left out for'))).toHaveLength(1)
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
