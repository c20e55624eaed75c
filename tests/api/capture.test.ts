/** Probes, and logs of changes that are written, kept and replayed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  array,
  bool,
  bytes,
  capture,
  count,
  days,
  decimal,
  embed,
  float64,
  int32,
  int64,
  job,
  json,
  nullable,
  replay,
  stream,
  table,
  text,
  timestamp,
} from '../../millrace.ts'

test('a probe tells how far its collection is', () => {
  const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({ done: t.distinct().probe(), t }))
  const app = embed(j, { clock: () => 5 })
  expect(app.outputs.done.isComplete(0)).toBe(false)
  app.inputs.t.insert({ k: 1 })
  const time = app.commit()
  expect([app.outputs.done.isComplete(time), app.outputs.done.isComplete(time + 1), app.outputs.done.frontier]).toEqual([true, false, 6])
  app.close()
  expect(() => app.outputs.done.frontier).toThrow('closed')
})

const all = {
  i: int32,
  l: int64,
  f: float64,
  b: bool,
  s: text,
  t: timestamp,
  d: decimal,
  y: bytes,
  j: json(),
  a: array(nullable(float64)),
  ni: nullable(int32),
  nl: nullable(int64),
  nf: nullable(float64),
  nb: nullable(bool),
  ns: nullable(text),
  nt: nullable(timestamp),
  nj: nullable(json()),
  nested: array(array(bytes)),
}

const anyInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const anyTime = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n })
const anyText = fc.string({ unit: 'binary' })
const anyBytes = fc.uint8Array({ maxLength: 5 })
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null })
const anyRow = fc.record({
  i: fc.integer(),
  l: anyInt64,
  f: fc.double(),
  b: fc.boolean(),
  s: anyText,
  t: anyTime,
  d: fc.constantFrom('0', '1.10', '-12345678901234567890.5'),
  y: anyBytes,
  j: fc.jsonValue(),
  a: fc.array(orNull(fc.double()), { maxLength: 3 }),
  ni: orNull(fc.integer()),
  nl: orNull(anyInt64),
  nf: orNull(fc.double()),
  nb: orNull(fc.boolean()),
  ns: orNull(anyText),
  nt: orNull(anyTime),
  nj: orNull(fc.jsonValue()),
  nested: fc.array(fc.array(anyBytes, { maxLength: 2 }), { maxLength: 2 }),
})

test('a replay says the same at the same times, for values of every type', () => {
  const j = job('j', { rows: table(all) }, ({ rows }) => ({
    rows,
    counts: rows.groupBy('s', 'nj', 'f').aggregate(() => ({ n: count() })),
  }))
  fc.assert(
    fc.property(fc.array(fc.array(anyRow, { maxLength: 4 }), { maxLength: 4 }), fc.nat(3), (commits, from) => {
      using first = embed(j)
      using second = embed(j)
      const lines: string[] = []
      let stop = from === 0 ? capture(first.outputs.rows, (line) => lines.push(line)) : null
      for (const [i, rows] of commits.entries()) {
        first.inputs.rows.insertMany(rows as never)
        if (i % 2 === 1) first.inputs.rows.removeMany((commits[i - 1] ?? []) as never)
        first.commit()
        if (i + 1 === from) stop = capture(first.outputs.rows, (line) => lines.push(line))
      }
      stop?.()
      if (stop === null) return
      const told: unknown[][] = [[], []]
      second.outputs.counts.subscribe((changes) => told[1].push(changes))
      expect(replay(second, { rows: JSON.parse(JSON.stringify(lines)) })).toBe(first.time)
      expect(second.outputs.rows.multiset()).toEqual(first.outputs.rows.multiset())
      expect(second.outputs.counts.rows()).toEqual(first.outputs.counts.rows())
      const again: string[] = []
      capture(second.outputs.rows, (line) => again.push(line))()
      if (lines.length > 1) expect(again.at(-1)).toBe(lines.at(-1))
    }),
    { numRuns: 100 },
  )
})

test('a log drives keyed tables and streams together, and time passes in it', () => {
  const inputs = { accounts: table({ id: int32, owner: text }, { key: 'id' }), frauds: stream({ id: int32, at: timestamp }) }
  const j = job('j', inputs, ({ accounts, frauds }) => ({
    perOwner: frauds
      .validFor((f) => f.at, days(1))
      .join(accounts, 'id')
      .groupBy('owner')
      .aggregate(() => ({ n: count() })),
    accounts: accounts.changelog(),
    frauds: frauds.changelog(),
  }))
  const day = Number(days(1))
  using first = embed(j, { clock: () => 0 })
  const logs = { accounts: [] as string[], frauds: [] as string[], out: [] as string[] }
  const stops = [
    capture(first.outputs.accounts, (line) => logs.accounts.push(line)),
    capture(first.outputs.frauds, (line) => logs.frauds.push(line)),
    capture(first.outputs.perOwner, (line) => logs.out.push(line)),
  ]
  first.inputs.accounts.upsertMany([
    { id: 1, owner: 'ann' },
    { id: 2, owner: 'bob' },
  ])
  first.inputs.frauds.insertMany([
    { id: 1, at: 0n },
    { id: 1, at: 0n },
    { id: 2, at: BigInt(day) },
  ])
  first.advanceTo(5)
  first.inputs.accounts.upsert({ id: 1, owner: 'eve' })
  first.inputs.accounts.delete({ id: 2 })
  first.advanceTo(7)
  first.advanceTo(day + 10)
  for (const stop of stops) stop()
  for (const stop of stops) stop()
  using second = embed(j, { clock: () => 0 })
  const out: string[] = []
  const stop = capture(second.outputs.perOwner, (line) => out.push(line))
  replay(second, { accounts: logs.accounts, frauds: logs.frauds })
  stop()
  const changesOf = (lines: readonly string[]) => lines.filter((line) => line.includes('changes'))
  expect(changesOf(out).slice(0, 2)).toEqual(changesOf(logs.out).slice(0, 2))
  expect(out.at(-1)).toEqual(logs.out.at(-1))
  expect(second.outputs.perOwner.rows()).toEqual([])
  expect(logs.accounts).toHaveLength(4)
})

test('a log that does not fit is refused, with what to do', () => {
  const j = job('j', { t: table({ k: int32 }), s: stream({ k: int32 }) }, ({ t, s }) => ({ t, s }))
  const header = '{"millrace":"capture","version":1,"columns":{"k":"int32"}}'
  const refused = (logs: { t?: string[]; s?: string[] }) => {
    using app = embed(j, { clock: () => 0 })
    app.advanceTo(3)
    try {
      replay(app, logs)
    } catch (error) {
      return (error as Error).message
    }
    return 'taken'
  }
  expect(refused({ t: ['x'] })).toContain('line 1 of the log of t is no JSON object: "x"\n  Replay what capture() has written.')
  expect(refused({ t: ['{"time":1}'] })).toContain('does not begin as a log of version 1 does')
  expect(refused({ t: [header.replace('int32', 'text')] })).toContain('the log has the columns {"k":"text"}, and t has {"k":"int32"}')
  expect(refused({ t: [header, '{"time":9,"changes":[[1]]}'] })).toContain('line 2 of the log of t is no change and no frontier')
  expect(refused({ t: [header, '{"time":9,"changes":[[1,"x"]]}'] })).toContain('column "k"')
  expect(refused({ t: [header, '{"time":9,"changes":[[1,1]]}', '{"time":8,"changes":[[1,1]]}'] })).toContain('at time 8, behind 9')
  expect(refused({ t: [header, '{"time":2,"changes":[[1,1]]}'] })).toContain('changes at time 2, and the app is at 3')
  expect(refused({ s: [header, '{"time":9,"changes":[[-1,1]]}'] })).toContain('rows are removed from s, a stream')
  expect(refused({ t: [header, '', '{"time":9,"changes":[[1,1]]}', '{"frontier":20}'] })).toBe('taken')
})
