/** One process in its generations: the steps of a dataflow, what is dropped, and what is held for a coordinator that comes back. */
import { describe, expect, test } from 'vitest'
import { MillraceError } from '../../runtime/error.ts'
import { Script, welcome } from './scripted-coordinator.ts'
import { advance, assign, columns, cut, rows, TestSource, world } from './test-source.ts'

describe('steps', () => {
  test('threads are configured, the job is fetched once, loaded and installed, and started when told', async () => {
    const source = new TestSource({ a: 4, b: 0 })
    const { script, one } = world(source)
    const generation = await script.running(one)
    const [first, second] = one.ports
    expect(first.all('configure')[0]).toEqual({
      kind: 'configure',
      generation,
      index: 0,
      workers: 2,
      owners: [0, 1, 2, 3],
      protocol: 2,
      first: 0,
      threads: 2,
    })
    expect(second.all('configure')[0].index).toBe(1)
    for (const { commands } of one.ports)
      expect(commands.filter(({ kind }) => kind !== 'ask-stats').map(({ kind }) => kind)).toEqual(['configure', 'install', 'start'])
    expect(first.all('install')[0]).toEqual({ kind: 'install', dataflow: 7, name: 'job', since: 100, digest: 'd1', code: 'the code' })
    expect(script.session.last('installed')).toEqual({
      kind: 'installed',
      generation,
      dataflow: 7,
      partitions: { in: ['a', 'b'] },
      temporal: false,
    })
    // The same again, in another dataflow and in the next generation: nobody asks for the bundle again.
    script.session.send({ kind: 'install', generation, dataflow: 8, job: { name: 'other', digest: 'd1' }, since: 5 })
    await script.until('it is installed', () => script.session.all('installed').length === 2)
    const next = await script.running(one)
    expect(next).toBe(generation + 1)
    expect(script.session.all('need-bundle')).toHaveLength(1)
    // It runs without sources of its own: it is live at once.
    await script.until('it is live', () => script.session.lately('report', ({ live, generation: its }) => live && its === next))
    expect(script.session.last('report')).toMatchObject({
      generation: next,
      dataflow: 7,
      waiting: false,
      complete: 100,
      cuts: [],
      told: null,
    })
  })

  test('what a thread says of an older generation is not believed', async () => {
    const { script, one } = world(new TestSource({ a: 0 }))
    await script.running(one)
    const port = one.ports[0]
    port.answers = false
    const generation = await script.prepare(one)
    await script.until('prepared', () => script.session.lately('prepared', (message) => message.generation === generation))
    script.session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 100 })
    await script.until('installing', () => port.all('install').length === 2)
    port.say({ kind: 'installed', dataflow: 7, outputs: [], temporal: true })
    port.say({ kind: 'complete', dataflow: 7, time: 500 })
    port.say({ kind: 'failed', dataflow: 7, code: 'JOB', message: 'of the past' })
    port.say({ kind: 'configured', generation: generation - 1 })
    port.say({ kind: 'complete', dataflow: 7, time: 600 })
    await script.run(100)
    expect(script.session.all('failed')).toEqual([])
    expect(script.session.all('installed')).toHaveLength(1)
    port.say({ kind: 'configured', generation })
    port.say({ kind: 'installed', dataflow: 7, outputs: [], temporal: false })
    await script.until('installed', () => script.session.all('installed').length === 2)
    expect(script.session.last('installed')).toMatchObject({ generation, temporal: false })
    expect(one.process.generation?.dataflows.get(7)?.complete).toBe(100)
  })

  test('a job that cannot be loaded, and one that fails on a thread, are reported, again after a reconnection; nothing of it runs on', async () => {
    const source = new TestSource({ a: 100 })
    const { script, one } = world(source)
    const generation = await script.running(one, { assignments: [assign('a', 0)] })
    one.ports[1].say({ kind: 'failed', dataflow: 7, code: 'USER_FUNCTION', message: 'boom' })
    await script.until('it is reported', () => script.session.all('failed').length === 1)
    expect(script.session.last('failed')).toEqual({ kind: 'failed', generation, dataflow: 7, code: 'USER_FUNCTION', message: 'boom' })
    const fed = one.ports[0].story.length
    source.rows.set('a', 1000)
    advance(script, generation, { minted: 200 })
    script.answers.set('c', welcome(1, true))
    script.session.connection.close('going')
    await script.until('it is reported', () => script.sessions.length === 2 && script.session.all('failed').length === 1)
    expect(script.session.last('hello').held?.dataflows).toEqual([])
    expect(one.ports[0].story).toHaveLength(fed)
    expect(source.closed).toBe(1)
    expect(one.process.generation?.dataflows.get(7)?.failure).toEqual({ code: 'USER_FUNCTION', message: 'boom' })

    const broken = script.process('v', null)
    await script.prepare(broken)
    const session = script.sessionOf('v')
    const number = broken.process.generation?.generation ?? 2
    await script.until('prepared', () => session.all('prepared').length > 0)
    session.send({ kind: 'install', generation: number, dataflow: 1, job: { name: 'job', digest: 'd2' }, since: 0 })
    await script.until('asked', () => session.all('need-bundle').length > 0)
    session.send({ kind: 'bundle', digest: 'd2', code: 'nonsense' })
    await script.until('failed', () => session.all('failed').length > 0)
    expect(session.last('failed')).toMatchObject({ dataflow: 1, code: 'JOB', message: 'there is no job' })
    expect(broken.ports[0].all('install')).toEqual([])
  })

  test('a source for an input that the job does not have', async () => {
    const script = new Script()
    script.listen('c')
    const one = script.process('w', { inputs: { other: { columns } }, sources: { in: new TestSource({ a: 0 }) } })
    const generation = await script.prepare(one)
    script.session.send({ kind: 'bundle', digest: 'd1', code: '' })
    script.session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
    await script.until('failed', () => script.session.all('failed').length > 0)
    expect(script.session.last('failed')).toMatchObject({ code: 'UNKNOWN_NAME', message: expect.stringContaining('"in"') })
  })

  test('partitions that cannot be listed are tried again; a mistake in the options is final', async () => {
    const source = new TestSource({ a: 0 })
    source.failure = new Error('the broker is away')
    const { script, one } = world(source)
    const generation = await script.prepare(one)
    script.session.send({ kind: 'bundle', digest: 'd1', code: '' })
    script.session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
    await script.run(20_000)
    expect(script.session.all('installed')).toEqual([])
    expect(script.session.all('failed')).toEqual([])
    source.failure = null
    await script.until('installed', () => script.session.all('installed').length === 1, 6000)
    source.failure = new MillraceError('CONFIG', 'no such topic')
    script.session.send({ kind: 'install', generation, dataflow: 8, job: { name: 'job', digest: 'd1' }, since: 0 })
    await script.until('failed', () => script.session.all('failed').length === 1)
    expect(script.session.last('failed')).toMatchObject({ dataflow: 8, code: 'CONFIG', message: 'no such topic' })
  })

  test('a prepare in the middle of anything starts over; messages of other generations are ignored', async () => {
    for (let stage = 0; stage < 4; stage++) {
      const source = new TestSource({ a: 20 })
      const { script, one } = world(source)
      let generation = await script.prepare(one)
      const { session } = script
      if (stage > 0) session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
      if (stage > 1) session.send({ kind: 'bundle', digest: 'd1', code: 'the code' })
      if (stage > 2) {
        await script.until('installed', () => session.all('installed').length > 0)
        session.send({ kind: 'start', generation, dataflow: 7, assignments: [assign('a', 0)], replay: { times: [], cuts: [] } })
        await script.until('fed', () => one.ports[0].all('feed').length > 0)
      }
      const old = generation
      generation = await script.running(one, { assignments: [assign('a', 1)] })
      await script.until('fed', () => one.ports[1].story.length === 20)
      const reports = session.all('report').filter((report) => report.generation === old).length
      session.send({ kind: 'drop', generation: old, dataflow: 7 })
      advance(script, old, { minted: 900 })
      session.send({ kind: 'prepare', group: 'default', generation: old, members: [], owners: [], protocol: 2 })
      await script.run(200)
      expect(one.process.generation?.generation).toBe(generation)
      expect(one.ports[1].all('drop')).toEqual([])
      expect(one.ports[1].story).toEqual(rows('a', 0, 20))
      expect(session.all('report').filter((report) => report.generation === old)).toHaveLength(reports)
      // The same once more changes nothing, and is answered.
      const { members } = one.process.generation as NonNullable<typeof one.process.generation>
      const prepared = session.all('prepared').length
      session.send({ kind: 'prepare', group: 'default', generation, members, owners: [0, 1, 2, 3], protocol: 2 })
      await script.until('answered', () => session.all('prepared').length > prepared)
      expect(one.ports[0].all('configure').at(-1)?.generation).toBe(generation)
      // One that it is not in: it is in none.
      session.send({ kind: 'prepare', group: 'default', generation: generation + 1, members: [], owners: [], protocol: 2 })
      await script.until('it is in none', () => one.process.generation === null)
      expect(one.ports[0].all('drop')).toHaveLength(1)
      await script.until('sources are closed', () => source.closed === source.opened.length)
    }
  })

  test('dropped while others run, also while it loads', async () => {
    const source = new TestSource({ a: 5 })
    const { script, one } = world(source)
    const generation = await script.running(one, { assignments: [assign('a', 0)] })
    const { session } = script
    session.send({ kind: 'install', generation, dataflow: 8, job: { name: 'next', digest: 'd9' }, since: 0 })
    session.send({ kind: 'drop', generation, dataflow: 8 })
    session.send({ kind: 'bundle', digest: 'd9', code: '' })
    await script.until('fed', () => one.ports[0].story.length === 5)
    session.send({ kind: 'drop', generation, dataflow: 7 })
    await script.until('dropped', () => one.ports.every((port) => port.all('drop').length > 0))
    expect(one.ports[0].all('drop')).toEqual([{ kind: 'drop', dataflow: 7 }])
    expect(one.ports[0].all('install')).toHaveLength(1)
    source.rows.set('a', 50)
    await script.run(500)
    expect(one.ports[0].story).toHaveLength(5)
    expect(one.process.generation?.dataflows.size).toBe(0)
  })
})

describe('a coordinator that was away', () => {
  test('hears what is held, and what came meanwhile is said once more', async () => {
    const source = new TestSource({ a: 4 })
    const { script, one } = world(source)
    const generation = await script.running(one, { assignments: [assign('a', 1)], replay: { times: [150], cuts: [cut('a', 150, 1)] } })
    await script.until('fed', () => one.ports[1].story.length === 5)
    advance(script, generation, { minted: 200 })
    advance(script, generation, { visible: 150 })
    await script.until('cuts', () => script.session.lately('report', ({ cuts }) => cuts.length > 0))
    source.rows.set('a', 6)
    await script.until('fed', () => one.ports[1].story.length === 8)
    advance(script, generation, { minted: 300 })
    await script.until('sealed', () => one.ports[0].story.at(-1) === 300)
    script.answers.set('c', () => undefined)
    script.session.connection.close('going')
    source.rows.set('a', 7)
    for (const port of one.ports) port.say({ kind: 'complete', dataflow: 7, time: 200 })
    await script.until('hello', () => script.sessions.length === 2 && script.sessions[1].heard.length > 0)
    const { held } = script.sessions[1].last('hello')
    expect(held).toEqual({
      generation,
      members: [one.process.process],
      dataflows: [
        {
          dataflow: 7,
          visible: 150,
          minted: [200, 300],
          cuts: [cut('a', 150, 1), cut('a', 200, 4), cut('a', 300, 6)],
          assignments: [assign('a', 1)],
          live: true,
        },
      ],
    })
    // Between hello and welcome the world goes on.
    await script.run(200)
    welcome(2, true)(script.sessions[1])
    await script.until('report', () => script.session.all('report').length > 0)
    expect(script.session.last('prepared').generation).toBe(generation)
    expect(script.session.last('report')).toMatchObject({ generation, live: true, waiting: true, complete: 200, cuts: [] })
    // What it knows is told again and changes nothing.
    const story = one.ports[1].story
    advance(script, generation, { minted: 200 })
    advance(script, generation, { minted: 300 })
    await script.run(50)
    expect(one.ports[1].story).toEqual(story)
    advance(script, generation, { visible: 300, minted: 400 })
    await script.until('sealed', () => one.ports[0].story.at(-1) === 400)
    await script.until('cuts', () => script.session.lately('report', ({ cuts }) => cuts.length > 0))
    script.session.connection.close('going')
    await script.until('hello', () => script.sessions.length === 3 && script.sessions[2].heard.length > 0)
    expect(script.sessions[2].last('hello').held?.dataflows[0]).toMatchObject({
      visible: 300,
      minted: [400],
      cuts: [cut('a', 300, 6), cut('a', 400, 7)],
    })
  })

  test('a dataflow that is not started is not held, and said to be installed again', async () => {
    const { script, one } = world(new TestSource({ a: 1 }))
    const generation = await script.prepare(one)
    const { session } = script
    await script.until('prepared', () => session.all('prepared').length > 0)
    session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
    await script.until('asked', () => session.all('need-bundle').length > 0)
    script.answers.set('c', welcome(1, true))
    session.connection.close('going')
    await script.until('asked again', () => script.sessions.length === 2 && script.session.all('need-bundle').length > 0)
    expect(script.session.last('hello').held).toMatchObject({ generation, dataflows: [] })
    script.session.send({ kind: 'bundle', digest: 'd1', code: '' })
    await script.until('installed', () => script.session.all('installed').length === 1)
    script.session.connection.close('going')
    await script.until('installed', () => script.sessions.length === 3 && script.session.all('installed').length === 1)
    expect(one.ports[0].all('install')).toHaveLength(1)
    script.session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
    await script.until('answered', () => script.session.all('installed').length === 2)
    expect(one.ports[0].all('install')).toHaveLength(1)
  })

  test('goes on without it: everything is dropped at once', async () => {
    const source = new TestSource({ a: 4 })
    const { script, one } = world(source)
    await script.running(one, { assignments: [assign('a', 1)] })
    await script.until('fed', () => one.ports[1].story.length === 4)
    script.answers.set('c', welcome(2, false))
    script.session.connection.close('going')
    await script.until('welcome', () => one.process.links.coordinator.epoch === 2)
    expect(one.process.generation).toBe(null)
    expect(one.process.sources).toEqual([])
    expect(one.ports[0].all('drop')).toHaveLength(1)
    await script.run(100)
    expect(source.closed).toBe(1)
  })
})
