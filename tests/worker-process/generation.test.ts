/** One process in its generations: the steps of a dataflow, sources again and live, cuts and reports, what is dropped and what is held. */
import { describe, expect, test } from 'vitest'
import { generated } from '../../connectors/generated.ts'
import { source as generator, type SourceOptions } from '../../connectors/replayable-generator.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Cut, SourceAssignment } from '../../runtime/protocol/control.ts'
import type { PartitionReader, ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'
import { FEED_WINDOW_BYTES } from '../../runtime/protocol/thread.ts'
import { UNSEEN_ROWS } from '../../worker/process/source-runner.ts'
import { type FakeJob, Script, type Started, welcome } from './scripted-coordinator.ts'

const columns = { id: int32 }

/** Gives what the test puts into it. */
class TestSource implements ReplayableSource {
  readonly kind = 'test'
  readonly rows = new Map<string, number>()
  failure: Error | null = null
  opened: (number | null)[] = []
  closed = 0

  constructor(partitions: Record<string, number>) {
    for (const [name, count] of Object.entries(partitions)) this.rows.set(name, count)
  }

  async partitions(): Promise<readonly string[]> {
    if (this.failure !== null) throw this.failure
    return [...this.rows.keys()]
  }

  async open(_: unknown, __: unknown, partition: string, after: unknown): Promise<PartitionReader> {
    if (this.failure !== null) throw this.failure
    this.opened.push(after as number | null)
    let next = (after ?? 0) as number
    const source = this
    return {
      get behind() {
        return next < (source.rows.get(partition) as number)
      },
      hasReached: (position) => next >= (position as number),
      async poll(until): Promise<SourceBatch | null> {
        if (source.failure !== null) throw source.failure
        const end = Math.min(next + 3, source.rows.get(partition) as number, (until ?? Number.POSITIVE_INFINITY) as number)
        if (end <= next) return null
        const rows = Array.from({ length: end - next }, (_, i) => ({ id: `${partition}${next + i}` }))
        next = end
        return { runs: [{ op: 'insert', rows }], position: next }
      },
      async close() {
        source.closed++
      },
    }
  }
}

const job = (source: ReplayableSource): FakeJob => ({ inputs: { in: { columns } }, sources: { in: source } })
const assign = (partition: string, worker: number): SourceAssignment => ({ input: 'in', partition, worker })
const cut = (partition: string, time: number, position: number | null): Cut => ({ input: 'in', partition, time, position })

const readsOf = (read: SourceOptions['read']): ReplayableSource => generator({ partitions: ['a'], read })

function world(source: ReplayableSource, options = {}): { script: Script; one: Started } {
  const script = new Script()
  script.listen('c')
  return { script, one: script.process('w', job(source), options) }
}

function advance(script: Script, generation: number, fields: { minted?: number; visible?: number; compactTo?: number }): void {
  const times = (time: number | undefined) => (time === undefined ? [] : [{ dataflow: 7, time }])
  const { minted, visible, compactTo } = fields
  script.session.send({ kind: 'advance', generation, minted: times(minted), visible: times(visible), compactTo: times(compactTo) })
}

const rows = (partition: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `in ${partition}${from + i}`)

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

describe('sources', () => {
  test('live: rows are fed, times seal what was fed by then, cuts say how far that was, reports come in order', async () => {
    const source = new TestSource({ a: 4, b: 1, c: 9 })
    const { script, one } = world(source)
    // c is read elsewhere.
    const generation = await script.running(one, { assignments: [assign('a', 0), assign('b', 1), assign('c', 2)] })
    const { session } = script
    await script.until('rows wait', () => session.all('report').some(({ waiting }) => waiting))
    await script.until('fed', () => one.ports[0].story.length === 4 && one.ports[1].story.length === 1)
    advance(script, generation, { minted: 200 })
    await script.until('cuts', () => session.all('report').some(({ cuts }) => cuts.length > 0))
    expect(session.last('report')).toMatchObject({ live: true, waiting: false, complete: 100, cuts: [cut('a', 200, 4), cut('b', 200, 1)] })
    source.rows.set('b', 3)
    await script.until('fed', () => one.ports[1].story.length === 4)
    await script.until('rows wait', () => session.lately('report', ({ waiting }) => waiting))
    expect(session.last('report').cuts).toEqual([])
    advance(script, generation, { minted: 300 })
    advance(script, generation, { minted: 300 })
    await script.until('sealed', () => one.ports[0].story.at(-1) === 300)
    for (const port of one.ports) port.say({ kind: 'complete', dataflow: 7, time: 200 })
    await script.until('complete', () => session.lately('report', ({ complete }) => complete === 200))
    one.ports[0].say({ kind: 'complete', dataflow: 7, time: 300 })
    await script.run(50)
    expect(session.last('report').complete).toBe(200)
    one.ports[1].say({ kind: 'complete', dataflow: 7, time: 300 })
    await script.until('complete', () => session.lately('report', ({ complete }) => complete === 300))
    expect(one.ports[0].story).toEqual([...rows('a', 0, 4), 200, 300])
    expect(one.ports[1].story).toEqual([...rows('b', 0, 1), 200, ...rows('b', 1, 3), 300])
    // A partition that did not move has no cut of its own; no cut is told twice, and each before what depends on it.
    expect(session.all('report').flatMap(({ cuts }) => cuts)).toEqual([cut('a', 200, 4), cut('b', 200, 1), cut('b', 300, 3)])
    for (const [i, { complete }] of session.all('report').entries())
      if (complete >= 300)
        expect(
          session
            .all('report')
            .slice(0, i + 1)
            .flatMap(({ cuts }) => cuts),
        ).toHaveLength(3)
  })

  test('visible times and what may be forgotten reach the threads; reads see them', async () => {
    const { script, one } = world(new TestSource({ a: 0 }))
    const generation = await script.running(one)
    expect(one.process.generation?.dataflows.get(7)?.visible).toBe(null)
    advance(script, generation, { compactTo: 90 })
    advance(script, generation, { minted: 200 })
    advance(script, generation, { visible: 200, compactTo: 150, minted: 300 })
    advance(script, generation, { compactTo: 120 })
    await script.run(50)
    expect(one.ports[0].all('visible')).toEqual([
      { kind: 'visible', dataflow: 7, time: 200, compactTo: 150 },
      { kind: 'visible', dataflow: 7, time: 200, compactTo: 150 },
    ])
    expect(one.process.generation?.dataflows.get(7)).toMatchObject({ visible: 200, compactTo: 150, minted: 300 })
  })

  test('again: exactly the rows of each time, then live from there', async () => {
    const source = new TestSource({ a: 40, b: 40, c: 40 })
    const { script, one } = world(source)
    const replay = {
      times: [500, 600, 700],
      cuts: [
        cut('a', 500, 10),
        cut('b', 500, null),
        cut('a', 600, 10),
        cut('b', 600, 7),
        cut('a', 700, 11),
        cut('c', 700, 2),
        cut('d', 700, 9),
      ],
    }
    await script.running(one, { assignments: [assign('a', 0), assign('b', 0), assign('c', 1)], replay })
    await script.until('live', () => script.session.lately('report', ({ live }) => live))
    await script.until('fed', () => one.ports[1].story.length === 43)
    // Of several partitions rows come in any order.
    const until = (port: number, time: number): (number | string)[] => one.ports[port].story.slice(0, one.ports[port].story.indexOf(time))
    const between = (port: number, from: number, to: number): (number | string)[] => until(port, to).slice(until(port, from).length + 1)
    expect(until(0, 500)).toEqual(rows('a', 0, 10))
    expect(between(0, 500, 600)).toEqual(rows('b', 0, 7))
    expect(between(0, 600, 700)).toEqual(rows('a', 10, 11))
    expect(until(1, 600)).toEqual([500])
    expect(between(1, 600, 700)).toEqual(rows('c', 0, 2))
    expect(one.ports[1].story.slice(-38)).toEqual(rows('c', 2, 40))
    const generation = one.process.generation?.generation as number
    advance(script, generation, { minted: 800 })
    await script.until('cuts', () => script.session.lately('report', ({ cuts }) => cuts.length > 0))
    expect(script.session.last('report').cuts).toEqual([cut('a', 800, 40), cut('b', 800, 40), cut('c', 800, 40)])
  })

  test('times that are minted while rows are read again wait until that is done', async () => {
    const source = new TestSource({ a: 3 })
    const { script, one } = world(source)
    const generation = await script.running(one, { assignments: [assign('a', 0)], replay: { times: [500], cuts: [cut('a', 500, 6)] } })
    advance(script, generation, { minted: 600 })
    await script.run(4000)
    expect(one.ports[0].story).toEqual(rows('a', 0, 3))
    // Never silent: what has to be there and is not.
    expect(one.process.sources[0].trouble).toContain('must be read again up to 6, and has nothing after 3 now')
    source.rows.set('a', 6)
    await script.until('done', () => one.ports[0].story.at(-1) === 600)
    expect(one.ports[0].story).toEqual([...rows('a', 0, 6), 500, 600])
    expect(one.process.sources[0].trouble).toBe(null)
  })

  test('what a source gives at once goes to a thread in portions, in order', async () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => i)
    const runs = [
      { op: 'insert', rows: ids.slice(0, 9000).map((id) => ({ id })) },
      { op: 'remove', rows: ids.slice(9000).map((id) => ({ id })) },
    ] as const
    const { script, one } = world(
      readsOf(async function* () {
        yield { position: 1, runs }
      }),
    )
    await script.running(one, { assignments: [assign('a', 0)] })
    await script.until('fed', () => one.ports[0].story.length === 10_000)
    expect(one.ports[0].story).toEqual(ids.map((id) => `in ${id}`))
    const feeds = one.ports[0].all('feed')
    expect(feeds.map(({ runs: some }) => some.map(({ op, rows: part }) => `${op} ${part.length}`))).toEqual([
      ['insert 4096'],
      ['insert 4096'],
      ['insert 808', 'remove 1000'],
    ])
  })

  test('a source that fails is tried again with pauses, opened anew, shown, and never ends the process', async () => {
    const source = new TestSource({ a: 4 })
    const { script, one } = world(source)
    await script.running(one, { assignments: [assign('a', 0)] })
    await script.until('fed', () => one.ports[0].story.length === 4)
    source.failure = new Error('connection reset')
    await script.run(30_000)
    const [view] = one.process.sources
    expect(view).toMatchObject({ trouble: 'connection reset', rows: 4, kind: 'test', dataflow: 7 })
    expect(view.failures).toBeGreaterThan(5)
    expect(view.failures).toBeLessThan(20)
    source.rows.set('a', 9)
    source.failure = null
    await script.until('it goes on', () => one.ports[0].story.length === 9, 6000)
    expect(one.ports[0].story).toEqual(rows('a', 0, 9))
    expect(one.process.sources[0]).toMatchObject({ trouble: null, failures: 0 })
    expect(source.opened).toEqual([null, 4])
    expect(one.ended).toEqual([])
  })

  test('an invariant that is broken in a source ends the process', async () => {
    const source = new TestSource({ a: 4 })
    const { script, one } = world(source)
    await script.running(one, { assignments: [assign('a', 0)] })
    source.failure = new MillraceError('INVARIANT', 'impossible')
    await script.until('it ends', () => one.ended.length > 0)
    expect(one.ended[0]?.message).toBe('impossible')
  })

  test('nothing is read while a thread has not taken what it was given, or while too much is not visible', async () => {
    const source = generated({ partitions: 2, rows: (_, id) => ({ id }) })
    const { script, one } = world(source)
    const generation = await script.running(one, { assignments: [assign('0', 0), assign('1', 1)] })
    await script.run(300)
    // What was fed waits for its time to be visible.
    const fed = (): number => one.process.sources.reduce((sum, view) => sum + view.rows, 0)
    expect(fed()).toBeGreaterThan(UNSEEN_ROWS)
    expect(fed()).toBeLessThan(UNSEEN_ROWS + 4096)
    advance(script, generation, { minted: 200 })
    await script.run(300)
    expect(fed()).toBeLessThan(UNSEEN_ROWS + 4096)
    one.ports[0].waitingBytes = FEED_WINDOW_BYTES + 1
    advance(script, generation, { visible: 200 })
    await script.until('it goes on', () => fed() > 2 * UNSEEN_ROWS, 1000)
    const before = one.ports[0].all('feed').length
    expect(one.process.sources.map(({ paused }) => paused)).toEqual([true, true])
    advance(script, generation, { minted: 300 })
    advance(script, generation, { visible: 300 })
    one.ports[0].waitingBytes = 0
    one.ports[0].onDrain?.()
    await script.run(5)
    expect(one.ports[0].all('feed').length).toBeGreaterThan(before)
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

test('reports of one moment go together, and none is late', async () => {
  const script = new Script()
  script.listen('c')
  const source = generated({ rate: 100_000, rows: (_, id) => ({ id }) })
  const one = script.process('w', job(source))
  const generation = await script.running(one, { assignments: [assign('0', 0)] })
  const before = script.session.all('report').length
  const began = script.world.now
  for (let i = 1; i <= 500; i++) {
    advance(script, generation, { minted: 1000 + i })
    for (const port of one.ports) port.say({ kind: 'complete', dataflow: 7, time: 1000 + i })
    await script.run(1)
    if (i % 10 === 0) advance(script, generation, { visible: 1000 + i })
  }
  const milliseconds = (script.world.now - began) / 1000
  const reports = script.session.all('report').length - before
  expect(reports).toBeLessThanOrEqual(milliseconds / 2 + 1)
  expect(reports).toBeGreaterThan(100)
  await script.run(10)
  expect(script.session.last('report')).toMatchObject({ complete: 1500 })
})
