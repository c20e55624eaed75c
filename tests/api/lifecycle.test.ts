/** Opening and closing, times, ticks. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { count, days, embed, int32, job, stream, table, text, timestamp } from '../../millrace.ts'

const words = job('words', { words: table({ word: text }), keyed: table({ k: int32, word: text }, { key: 'k' }) }, ({ words, keyed }) => ({
  counts: words
    .groupBy('word')
    .aggregate(() => ({ n: count() }))
    .keyBy('word'),
  joined: keyed.join(words, 'word'),
  log: words.changelog(),
}))

test('a closed app says so, and may be closed again', () => {
  const app = embed(words)
  app.close()
  app.close()
  const closed = expect.objectContaining({ code: 'CLOSED' })
  expect(() => app.commit()).toThrow(closed)
  expect(() => app.advanceTo(5)).toThrow(closed)
  expect(() => app.hold()).toThrow(closed)
  expect(() => app.inputs.words.insert({ word: 'a' })).toThrow(closed)
  expect(() => app.inputs.keyed.delete({ k: 1 })).toThrow(closed)
  expect(() => app.inputs.keyed.upsert({ k: 1, word: '' })).toThrow(closed)
  expect(() => app.outputs.counts.get({ word: 'a' })).toThrow(closed)
  expect(() => app.outputs.joined.rows()).toThrow(closed)
  expect(() => app.outputs.counts.errors.rows()).toThrow(closed)
  expect(() => app.outputs.log.subscribe(() => {})).toThrow(closed)
  expect(() => app.outputs.log.changes()).toThrow(closed)
})

test('await using closes', async () => {
  let kept: { commit(): number }
  {
    await using app = embed(words)
    kept = app
  }
  expect(() => kept.commit()).toThrow('closed')
})

test('times come from the clock, and always increase', () => {
  let now = 1000
  using app = embed(words, { clock: () => now })
  expect(app.time).toBe(-1)
  expect(app.outputs.counts.scan()).toEqual([])
  expect([app.commit(), app.commit()]).toEqual([1000, 1001])
  now = 5000
  expect(app.commit()).toBe(5000)
  now = 10
  expect(app.commit()).toBe(5001)
  expect(app.advanceTo(9000)).toBe(9000)
  expect(app.time).toBe(9000)
  expect(() => app.advanceTo(9000)).toThrow('has passed')
  expect(() => app.advanceTo(1.5)).toThrow('is no time')
  now = 20_000
  app.inputs.words.insertMany(Array.from({ length: 5000 }, (_, i) => ({ word: `w${i}` })))
  expect(() => app.advanceTo(15_000)).toThrow('under way at time 20000')
  expect(app.advanceTo(30_000)).toBe(30_000)
  expect(app.outputs.counts.scan()).toHaveLength(5000)
  const bad = embed(words, { clock: () => 0.5 })
  expect(() => bad.commit()).toThrow('whole microseconds')
})

test('a row that is stamped now is valid at the commit that follows', () => {
  const j = job('j', { t: stream({ at: timestamp }) }, ({ t }) => ({ t: t.validFor((row) => row.at, days(1)) }))
  using app = embed(j)
  for (let i = 1; i <= 300; i++) {
    app.inputs.t.insert({ at: BigInt(Date.now()) * 1000n })
    app.commit()
    expect(app.outputs.t.rows()).toHaveLength(i)
  }
})

test('ticks close times without a commit, and leave what is half written alone', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const app = embed(words, { tickEvery: 5 })
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(before)
  const until = async (done: () => boolean) => {
    for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(done()).toBe(true)
  }
  await until(() => app.time > 0)
  app.inputs.words.insert({ word: 'a' })
  const { time } = app
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(app.time).toBe(time)
  app.commit()
  app.close()
})

test('a thousand apps leave memory level', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const cycle = () => {
    using app = embed(words)
    app.outputs.log.subscribe(() => {})
    void app.outputs.counts.updates()
    app.hold()
    app.inputs.words.insertMany([{ word: 'a' }, { word: 'b' }])
    app.inputs.keyed.upsert({ k: 1, word: 'a' })
    app.commit()
    return app
  }
  // Array buffers are swept by another thread: the first collection need not have counted them out.
  const used = async () => {
    for (let i = 0; i < 3; i++) {
      gc()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  for (let i = 0; i < 200; i++) cycle()
  const before = await used()
  const closed = []
  for (let i = 0; i < 1000; i++) {
    const app = cycle()
    if (i % 10 === 0) closed.push(app)
  }
  expect(((await used()) - before) / 1000).toBeLessThan(2000)
  expect(closed).toHaveLength(100)
})
