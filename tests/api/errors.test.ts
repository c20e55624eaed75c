/** Bad rows, bad definitions, users' functions that throw: clear messages, and nothing lost. */
import { expect, test } from 'vitest'
import { embed, int32, job, type MillraceError, stream, table, text } from '../../millrace.ts'
import { parseOrigin } from '../../operators/origin.ts'

const accounts = table({ accountId: int32, ownerId: int32 }, { key: 'accountId' })
const frauds = stream({ accountId: int32, at: int32 })

function message(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as MillraceError).message
  }
  return 'nothing was thrown'
}

test('a wrong definition names the line, the call, and what was meant', () => {
  const misspelt = message(() =>
    job('j', { accounts, frauds }, ({ accounts, frauds }) => {
      // @ts-expect-error misspelt
      return { x: frauds.join(accounts, 'acountId') }
    }),
  )
  expect(misspelt).toMatch(
    /^errors\.test\.ts:\d+ {2}frauds\.join\(accounts, 'acountId'\)\n {2}There is no column "acountId" in frauds \(accountId, at\)\./,
  )
  expect(misspelt).toContain('Did you mean "accountId"?')
  const line = Number(/:(\d+)/.exec(misspelt)?.[1])
  expect(line).toBeGreaterThan(20)
  expect(line).toBeLessThan(32)

  const inCallback = message(() =>
    job('j', { frauds }, ({ frauds }) => {
      // @ts-expect-error misspelt
      return { x: frauds.filter((f) => f.att.gt(1)) }
    }),
  )
  expect(inCallback).toMatch(/frauds\.filter\(\.\.\.\)\n {2}There is no column "att" in frauds/)
  const collision = message(() =>
    // @ts-expect-error both have ownerId
    job('j', { accounts }, ({ accounts }) => ({ x: accounts.join(accounts, 'accountId') })),
  )
  expect(collision).toContain('Both sides have a column "ownerId"')
  const types = message(() =>
    // @ts-expect-error never equal
    job('j', { accounts, names: table({ name: text }) }, ({ accounts, names }) => ({ x: accounts.join(names, { ownerId: 'name' }) })),
  )
  expect(types).toContain('"ownerId" is int32 in accounts, and "name" is text in names: they are never equal.')
  // @ts-expect-error no such input
  expect(message(() => job('j', { frauds }, ({ fraud }) => ({ x: fraud })))).toContain('There is no input "fraud" (frauds).')
})

test('origins of the frames that V8 writes', () => {
  expect(parseOrigin('Error\n    at define (/home/x/my job.ts:9:31)')).toBe('job.ts:9')
  expect(parseOrigin('Error\n    at file:///home/x/feature-store.ts:12:5')).toBe('feature-store.ts:12')
  expect(parseOrigin('Error\n    at C:\\jobs\\shop.ts?v=1:7:5')).toBe('shop.ts:7')
  expect(parseOrigin('Error\n    at <anonymous>')).toBe('')
})

test('a wrong row names row and column, and nothing of the call is taken', () => {
  const j = job('j', { t: table({ k: int32, name: text }), keyed: accounts }, ({ t, keyed }) => ({ t, keyed }))
  using app = embed(j)
  const many = Array.from({ length: 10_000 }, (_, k) => ({ k, name: `n${k}` }))
  many[9_000] = { k: 9_000, name: 7 as unknown as string }
  expect(() => app.inputs.t.insertMany(many)).toThrow('column "name" of row 9000: expected text, got 7')
  const columns = { k: Int32Array.from(many, (row) => row.k), name: many.map((row) => row.name) }
  expect(() => app.inputs.t.insertColumns(columns)).toThrow('column "name" of row 9000')
  expect(() => app.inputs.t.insert({ k: 1.5, name: '' })).toThrow('column "k" of row 0: expected int32, got 1.5')
  expect(() => app.inputs.t.insert({ k: 1, name: '\ud800' })).toThrow()
  expect(() => app.inputs.keyed.upsertMany([{ accountId: 1, ownerId: 1 }, { accountId: 2 } as never])).toThrow('column "ownerId" of row 1')
  expect(() => app.inputs.keyed.delete({ accountId: 'x' } as never)).toThrow('key column "accountId"')
  app.commit()
  expect(app.outputs.t.rows()).toEqual([])
  expect(app.outputs.keyed.rows()).toEqual([])
  app.inputs.t.insert({ k: 1, name: 'good' })
  app.commit()
  expect(app.outputs.t.rows()).toEqual([{ k: 1, name: 'good' }])
})

test('an error of a function holds while its row is there; other rows go on', () => {
  const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({
    inverse: t.map({ k: int32, inverse: int32 }, ({ k }) => {
      if (k === 0) throw new RangeError('no inverse of 0')
      return { k, inverse: Math.round(100 / k) }
    }),
    divided: t.select((r) => ({ k: r.k, d: r.k.divide(r.k) })),
    t,
  }))
  using app = embed(j)
  const { inverse, divided, t } = app.outputs
  const told: unknown[] = []
  inverse.errors.subscribe(({ changes }) => told.push(...changes.map(({ row, diff }) => [row.message, diff])))
  app.inputs.t.insertMany([{ k: 0 }, { k: 5 }])
  app.commit()
  expect(inverse.rows()).toEqual([{ k: 5, inverse: 20 }])
  expect(inverse.errors.rows()).toMatchObject([{ operator: 'map', row: '{ k: 0 }', message: 'RangeError: no inverse of 0', source: null }])
  expect(inverse.errors.rows()[0].origin).toMatch(/^errors\.test\.ts:\d+$/)
  expect(divided.errors.rows()).toMatchObject([{ operator: 'select', row: '{ k: 0 }' }])
  expect(t.errors.rows()).toEqual([])
  app.inputs.t.remove({ k: 0 })
  app.commit()
  expect(inverse.errors.rows()).toEqual([])
  expect(divided.errors.rows()).toEqual([])
  expect(told).toEqual([
    ['RangeError: no inverse of 0', 1],
    ['RangeError: no inverse of 0', -1],
  ])
})

test('rows that could not be decoded are errors of every output behind the input', () => {
  const j = job('j', { a: table({ k: int32 }), b: table({ k: int32 }) }, ({ a, b }) => ({ a: a.keyBy('k'), both: a.concat(b), b }))
  using app = embed(j)
  const bad = { source: 'a.jsonl', position: '17', excerpt: '{"k":', message: 'unexpected end' }
  app.inputs.a.reject(bad)
  app.inputs.a.insert({ k: 1 })
  app.commit()
  const row = { operator: 'input', origin: 'a', row: '{"k":', message: 'unexpected end', source: 'a.jsonl', position: '17' }
  expect(app.outputs.a.errors.rows()).toEqual([row])
  expect(app.outputs.both.errors.rows()).toEqual([row])
  expect(app.outputs.b.errors.rows()).toEqual([])
  app.inputs.a.unreject(bad)
  app.commit()
  expect(app.outputs.both.errors.rows()).toEqual([])
})

test('errors of a time wait for nothing but that time, whatever the inputs do', () => {
  const j = job('j', { a: table({ k: int32 }), b: table({ k: int32 }) }, ({ a, b }) => ({
    x: a
      .select((r) => ({ k: r.k.divide(r.k) }))
      .concat(b)
      .distinct(),
  }))
  using app = embed(j, { clock: () => 0 })
  const told: number[] = []
  app.outputs.x.errors.subscribe(({ time }) => told.push(time))
  const bad = { source: 'b', position: '1', excerpt: '?', message: 'no' }
  app.inputs.a.insert({ k: 0 })
  expect(app.commit()).toBe(0)
  app.inputs.b.reject(bad)
  app.commit()
  app.commit()
  app.inputs.b.reject(bad)
  expect(app.outputs.x.errors.rows()).toHaveLength(2)
  app.inputs.a.remove({ k: 0 })
  app.commit()
  app.inputs.b.unreject(bad)
  app.inputs.b.unreject(bad)
  app.commit()
  expect(told).toEqual([0, 1, 3, 4])
  expect(app.outputs.x.errors.rows()).toEqual([])
  for (let i = 0; i < 5000; i++) app.inputs.b.reject({ ...bad, position: `${i}` })
  expect(app.advanceTo(10)).toBe(10)
  expect(app.outputs.x.errors.rows()).toHaveLength(5000)
})

test('a function that is not deterministic is found in development', () => {
  let calls = 0
  const j = job('j', { t: table({ k: int32 }) }, ({ t }) => ({ x: t.map({ k: int32 }, () => ({ k: calls++ })) }))
  using app = embed(j, { development: true })
  app.inputs.t.insert({ k: 0 })
  app.commit()
  expect(app.outputs.x.errors.rows()).toHaveLength(1)
})
