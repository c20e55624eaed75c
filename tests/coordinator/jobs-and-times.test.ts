import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../coordinator/options.ts'
import { resets, running, visible } from './running.ts'
import { SECOND, Stage } from './stage.ts'

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
