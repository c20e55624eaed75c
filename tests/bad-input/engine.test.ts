/** What is called at the wrong moment is refused, what subscribers do wrong stays theirs, and the engine goes on. */
import { expect, test, vi } from 'vitest'
import { embed, int32, job, MillraceError, replay, table, text } from '../../millrace.ts'
import { refused } from './refused.ts'

const j = job('j', { t: table({ k: int32 }), keyed: table({ k: int32, s: text }, { key: 'k' }) }, ({ t, keyed }) => ({
  t,
  keyed: keyed.keyBy('k'),
  log: t.changelog(),
  done: t.probe(),
}))

test('times that have passed, are to come, or are none', () => {
  let now = 5
  using app = embed(j, { clock: () => now })
  app.inputs.t.insert({ k: 1 })
  const first = app.commit()
  const hold = app.hold()
  app.inputs.t.insert({ k: 2 })
  app.commit()
  app.inputs.t.insert({ k: 3 })
  app.commit()
  expect(refused(() => app.advanceTo(app.time))).toContain('BAD_TIME time 7 has passed: the last commit was at 7 | Times only grow.')
  expect(refused(() => app.advanceTo(-1))).toContain('BAD_TIME')
  expect(refused(() => app.advanceTo(7.5))).toContain('BAD_TIME 7.5 is no time | Times are whole microseconds since 1970.')
  expect(refused(() => app.advanceTo(Number.NaN))).toContain('NaN is no time')
  expect(refused(() => app.outputs.t.rows({ asOf: 99 }))).toContain('time 99 is not complete yet: the last commit was at 7')
  expect(refused(() => app.outputs.t.rows({ atLeast: 8 }))).toContain('time 8 is not complete yet')
  expect(refused(() => app.outputs.t.rows({ asOf: Number.NaN }))).toContain('NaN is no time')
  expect(app.outputs.t.rows({ asOf: first })).toEqual([{ k: 1 }])
  hold.release()
  hold.release()
  app.inputs.t.insert({ k: 4 })
  app.commit()
  expect(refused(() => app.outputs.t.rows({ asOf: first }))).toMatch(
    /BAD_TIME time 5 is before \d, the least that can still be read \| Keep it readable with hold/,
  )
  now = Number.NaN
  expect(refused(() => app.commit())).toContain('the clock gave NaN | A clock gives whole microseconds since 1970.')
  now = Number.MAX_SAFE_INTEGER
  app.commit()
  expect(refused(() => app.commit())).toContain('there is no time after 9007199254740991')
  expect(app.outputs.t.rows()).toHaveLength(4)
})

test('a clock that throws leaves everything as it was', () => {
  let broken = true
  using app = embed(j, {
    clock: () => {
      if (broken) throw new Error('no battery')
      return 5
    },
  })
  app.inputs.t.insert({ k: 1 })
  expect(() => app.commit()).toThrow('no battery')
  broken = false
  expect(app.commit()).toBe(5)
  expect(app.outputs.t.rows()).toEqual([{ k: 1 }])
})

test('a commit inside a subscriber or a function is refused; what they write is in the next commit', () => {
  const said: string[] = []
  using app = embed(j)
  app.outputs.log.subscribe(({ changes }) => {
    said.push(
      refused(() => app.commit()),
      refused(() => app.advanceTo(app.time + 5)),
    )
    if (changes[0].row.k < 3) app.inputs.t.insert({ k: changes[0].row.k + 1 })
  })
  app.outputs.log.subscribeColumns(() =>
    said.push(
      refused(() => app.commit()),
      refused(() => app.outputs.t.rows()),
    ),
  )
  app.inputs.t.insert({ k: 1 })
  for (let i = 0; i < 4; i++) app.commit()
  expect(app.outputs.t.rows()).toEqual([{ k: 1 }, { k: 2 }, { k: 3 }])
  expect(said).toHaveLength(12)
  const commit =
    'REENTRANT a subscriber, or a function of the job, commits while a commit is under way | Write in the subscriber, and commit after it.'
  expect(new Set(said)).toEqual(new Set([commit, 'REENTRANT columns are handed over while outputs change | Read after the commit.']))
})

test('a subscriber that throws is heard, and all the others are told', () => {
  using app = embed(j)
  const told: number[] = []
  app.outputs.log.subscribeColumns(() => {
    throw new Error('columns')
  })
  app.outputs.log.subscribe(() => {
    throw new Error('rows')
  })
  app.outputs.log.subscribe(({ changes }) => told.push(changes.length))
  for (let k = 0; k < 3; k++) {
    app.inputs.t.insert({ k })
    expect(() => app.commit()).toThrow()
  }
  expect(told).toEqual([1, 1, 1])
  app.inputs.t.insertMany(Array.from({ length: 5000 }, (_, k) => ({ k })))
  expect(() => app.commit()).toThrow('subscribers threw')
  expect(app.outputs.t.rows()).toHaveLength(5003)
  expect(refused(() => app.outputs.log.subscribe(undefined as never))).toContain('CONFIG a subscriber is a function, not undefined')
})

test('apps in subscribers, and closing in one', () => {
  using app = embed(j)
  let inner: unknown
  app.outputs.log.subscribe(() => {
    using another = embed(j)
    another.inputs.t.insert({ k: 9 })
    another.commit()
    inner = another.outputs.t.rows()
  })
  app.inputs.t.insert({ k: 1 })
  app.commit()
  expect(inner).toEqual([{ k: 9 }])
  for (const columns of [false, true]) {
    const closing = embed(j)
    if (columns) closing.outputs.log.subscribeColumns(() => closing.close())
    else closing.outputs.log.subscribe(() => closing.close())
    closing.inputs.t.insert({ k: 1 })
    closing.commit()
    expect(refused(() => closing.commit())).toBe('CLOSED the app j is closed | embed() its job again.')
  }
})

test('after closing, twice, everything says so', () => {
  const app = embed(j)
  const { t, keyed } = app.inputs
  const { outputs } = app
  const hold = app.hold()
  app.close()
  app.close()
  hold.release()
  const calls = [
    () => app.commit(),
    () => app.advanceTo(5),
    () => app.hold(),
    () => app.hasWritten,
    () => t.insert({ k: 1 }),
    () => t.insertColumns({ k: [1] }),
    () => t.reject({ source: '', position: '', excerpt: '', message: '' }),
    () => keyed.upsert({ k: 1, s: '' }),
    () => keyed.delete({ k: 1 }),
    () => outputs.t.rows(),
    () => outputs.keyed.get({ k: 1 }),
    () => outputs.keyed.scan(),
    () => outputs.t.errors.rows(),
    () => outputs.log.subscribe(() => {}),
    () => outputs.log.changes(),
    () => outputs.done.frontier,
    () => replay(app, { t: [] }),
  ]
  for (const call of calls) expect(refused(call), String(call)).toBe('CLOSED the app j is closed | embed() its job again.')
})

test('an iterator that is never read is bounded, says so, and harms nobody', async () => {
  using app = embed(j)
  const changes = app.outputs.t.changes()
  const updates = app.outputs.keyed.updates()
  for (let i = 0; i < 110; i++) {
    app.inputs.t.insertMany(Array.from({ length: 10_000 }, (_, k) => ({ k: i * 10_000 + k })))
    app.inputs.keyed.upsert({ k: 1, s: `s${i}` })
    app.commit()
  }
  expect(app.outputs.t.rows()).toHaveLength(1_100_000)
  const error = await (async () => {
    for await (const _ of changes);
  })().catch((error: unknown) => error)
  expect(error).toBeInstanceOf(MillraceError)
  expect((error as Error).message).toContain('a reader of t.changes() is')
  expect((error as Error).message).toContain('Read faster, or follow updates(), which merges what is unread per key.')
  expect((await updates.next()).value).toMatchObject({ key: { k: 1 } })
  await updates.return?.()
  app.inputs.t.insert({ k: -1 })
  app.commit()
  expect(app.outputs.t.rows()).toHaveLength(1_100_001)
})

test('names that are not there', () => {
  using app = embed(j)
  expect(refused(() => (app.inputs as never as { u: unknown }).u)).toBe('UNKNOWN_NAME There is no input "u" (t, keyed).')
  expect(refused(() => (app.outputs as never as { u: unknown }).u)).toBe('UNKNOWN_NAME There is no output "u" (t, keyed, log, done).')
})

test('keys that are not unique', () => {
  using app = embed(job('k', { t: table({ k: int32, v: int32 }) }, ({ t }) => ({ t: t.keyBy('k') })))
  app.inputs.t.insertMany([
    { k: 1, v: 1 },
    { k: 1, v: 2 },
  ])
  app.commit()
  expect(refused(() => app.outputs.t.get({ k: 1 }))).toContain(
    'NOT_KEYED t has several rows of one key | Use getAll(key), or key the output by more columns.',
  )
  expect(app.outputs.t.getAll({ k: 1 })).toHaveLength(2)
})

test('ticks go on, and no more after closing', async () => {
  using app = embed(j, { tickEvery: 2 })
  await vi.waitFor(() => expect(app.time).toBeGreaterThan(0))
  const { time } = app
  await vi.waitFor(() => expect(app.time).toBeGreaterThan(time))
  app.close()
  const last = app.time
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(app.time).toBe(last)
})
