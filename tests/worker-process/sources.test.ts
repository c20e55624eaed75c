/** The sources that a process reads: again and live, cuts and reports, failures, and what holds them back. */
import { expect, test } from 'vitest'
import { generated } from '../../connectors/generated.ts'
import { MillraceError } from '../../runtime/error.ts'
import { FEED_WINDOW_BYTES } from '../../runtime/protocol/thread.ts'
import { UNSEEN_ROWS } from '../../worker/process/source-runner.ts'
import { Script } from './scripted-coordinator.ts'
import { advance, assign, cut, job, readsOf, rows, TestSource, world } from './test-source.ts'

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
