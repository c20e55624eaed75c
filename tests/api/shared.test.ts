/** Indexes shared between apps of one engine: results, times, errors, memory, and what happens when one of them ends. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { count, embed, imported, int32, int64, job, max, minutes, nullable, table, text, timestamp } from '../../millrace.ts'
import { ArrangeOperator } from '../../operators/arrange.ts'
import { Builder } from '../../operators/builder.ts'
import { ImportArrangementOperator } from '../../operators/import-arrangement.ts'
import { InputOperator } from '../../operators/input.ts'
import { builtInput } from '../../operators/input-node.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { EnginePart } from '../../worker/engine-part.ts'

const accountColumns = { accountId: int32, ownerId: int32 }

const bank = job('bank', { accounts: table(accountColumns, { key: 'accountId' }) }, ({ accounts }) => ({
  accountsByOwner: accounts.keyBy('ownerId'),
}))

const importedAccounts = imported(accountColumns, { key: 'ownerId' })

const reports = job('reports', { accounts: importedAccounts, owners: table({ ownerId: int32, name: text }) }, ({ accounts, owners }) => ({
  named: owners.join(accounts, 'ownerId'),
  byAccount: accounts.keyBy('accountId'),
  all: accounts,
  perOwner: accounts
    .groupBy('ownerId')
    .aggregate((a) => ({ n: count(), most: max(a.accountId) }))
    .keyBy('ownerId'),
  pairs: accounts.join(accounts, 'ownerId', (a, b) => ({ a: a.accountId, b: b.accountId })),
  again: accounts.keyBy('ownerId'),
}))

/** Both in one job. */
const together = job(
  'together',
  { accounts: table(accountColumns, { key: 'accountId' }), owners: table({ ownerId: int32, name: text }) },
  ({ accounts, owners }) => ({
    named: owners.join(accounts, 'ownerId'),
    byAccount: accounts.keyBy('accountId'),
    all: accounts,
    perOwner: accounts
      .groupBy('ownerId')
      .aggregate((a) => ({ n: count(), most: max(a.accountId) }))
      .keyBy('ownerId'),
    pairs: accounts.join(accounts, 'ownerId', (a, b) => ({ a: a.accountId, b: b.accountId })),
    again: accounts.keyBy('ownerId'),
  }),
)

const names = ['named', 'byAccount', 'all', 'perOwner', 'pairs', 'again'] as const

const account = (accountId: number, ownerId: number) => ({ accountId, ownerId })

test('an app beside another joins with its index, and both follow commits to either', () => {
  using a = embed(bank, { clock: () => 0 })
  using b = embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  a.inputs.accounts.upsertMany([account(1, 7), account(2, 7), account(3, 8)])
  b.inputs.owners.insert({ ownerId: 7, name: 'ann' })
  expect(b.hasWritten).toBe(true)
  const time = a.commit()
  expect([a.time, b.time]).toEqual([time, time])
  expect(b.outputs.named.rows()).toEqual([
    { ownerId: 7, name: 'ann', accountId: 1 },
    { ownerId: 7, name: 'ann', accountId: 2 },
  ])
  a.inputs.accounts.upsert(account(2, 8))
  b.inputs.owners.insert({ ownerId: 8, name: 'bob' })
  expect(b.commit()).toBe(time + 1)
  expect(b.outputs.named.rows().map(({ name, accountId }) => `${name} ${accountId}`)).toEqual(['ann 1', 'bob 2', 'bob 3'])
  expect(a.outputs.accountsByOwner.getAll({ ownerId: 8 })).toEqual([account(2, 8), account(3, 8)])
  expect(b.outputs.again.getAll({ ownerId: 8 })).toEqual([account(2, 8), account(3, 8)])
  expect(b.outputs.byAccount.get({ accountId: 2 })).toEqual(account(2, 8))
  expect(b.outputs.perOwner.get({ ownerId: 8 })).toEqual({ ownerId: 8, n: 2n, most: 3 })
})

test('an app that comes later finds what is there, before any commit', () => {
  using a = embed(bank, { clock: () => 0 })
  for (let i = 0; i < 100; i++) {
    a.inputs.accounts.upsert(account(i, i % 10))
    a.commit()
  }
  for (let i = 0; i < 3; i++) a.commit()
  a.inputs.accounts.upsertMany(Array.from({ length: 5000 }, (_, i) => account(1000 + i, 1000 + i)))
  using b = embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  expect(b.time).toBe(a.time)
  expect(b.outputs.all.rows()).toHaveLength(100)
  expect(b.outputs.pairs.rows()).toHaveLength(1000)
  expect(b.outputs.perOwner.get({ ownerId: 3 })).toEqual({ ownerId: 3, n: 10n, most: 93 })
  b.inputs.owners.insert({ ownerId: 3, name: 'ann' })
  a.inputs.accounts.upsert(account(3, 55))
  b.commit()
  expect(b.outputs.named.rows()).toHaveLength(9)
  expect(b.outputs.perOwner.get({ ownerId: 5555 })).toEqual({ ownerId: 5555, n: 1n, most: 5555 })
})

test('rows of several columns, texts and nullable wide keys, in another order of columns', () => {
  const wide = job('wide', { rows: table({ id: nullable(int64), name: text, city: text }) }, ({ rows }) => ({ byId: rows.keyBy('id') }))
  const reader = job(
    'reader',
    { rows: imported({ city: text, name: text, id: nullable(int64) }, { key: 'id' }), ids: table({ id: int32 }) },
    ({ rows, ids }) => ({
      found: ids.join(rows, 'id'),
      upper: rows.filter((r) => r.city.eq('Rome')),
      cities: rows.groupBy('city').aggregate(() => ({ n: count() })),
    }),
  )
  using a = embed(wide)
  a.inputs.rows.insertMany([
    { id: 5n, name: 'ann', city: 'Rome' },
    { id: null, name: 'bob', city: 'Bari' },
    { id: 2n ** 40n, name: 'eve', city: 'Rome' },
  ])
  a.commit()
  using b = embed(reader, { beside: a, imports: { rows: a.outputs.byId } })
  b.inputs.ids.insertMany([{ id: 5 }, { id: 6 }])
  a.inputs.rows.insert({ id: 6n, name: 'zoe', city: 'Rome' })
  b.commit()
  expect(b.outputs.found.rows()).toEqual([
    { id: 5, city: 'Rome', name: 'ann' },
    { id: 6, city: 'Rome', name: 'zoe' },
  ])
  expect(b.outputs.upper.rows()).toHaveLength(3)
  expect(b.outputs.cities.rows()).toEqual([
    { city: 'Bari', n: 1n },
    { city: 'Rome', n: 3n },
  ])
})

test('keys that the index does not take get an index of their own', () => {
  const wider = job('wider', { accounts: importedAccounts, owners: table({ ownerId: int64, name: text }) }, ({ accounts, owners }) => ({
    named: accounts.join(owners, 'ownerId'),
  }))
  using a = embed(bank)
  a.inputs.accounts.upsertMany([account(1, 7), account(2, -3)])
  a.commit()
  using b = embed(wider, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  b.inputs.owners.insertMany([
    { ownerId: 7n, name: 'ann' },
    { ownerId: -3n, name: 'bob' },
  ])
  b.commit()
  expect(b.outputs.named.rows()).toHaveLength(2)
})

test('mistakes in imports are found by the compiler, and at run time', () => {
  using a = embed(bank)
  using other = embed(bank)
  const code = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      return (error as { code: string }).code
    }
    return 'nothing'
  }
  const wrongType = job('wrong', { accounts: imported({ accountId: int32, ownerId: text }, { key: 'ownerId' }) }, ({ accounts }) => ({
    accounts,
  }))
  const lacking = job('lacking', { accounts: imported({ ownerId: int32 }, { key: 'ownerId' }) }, ({ accounts }) => ({ accounts }))
  const wrongKey = job('key', { accounts: imported(accountColumns, { key: 'accountId' }) }, ({ accounts }) => ({ accounts }))
  const output = a.outputs.accountsByOwner
  // @ts-expect-error a column of another type
  expect(code(() => embed(wrongType, { beside: a, imports: { accounts: output } }))).toBe('COLUMN_TYPE')
  // @ts-expect-error a column is missing
  expect(code(() => embed(lacking, { beside: a, imports: { accounts: output } }))).toBe('COLUMN_TYPE')
  // @ts-expect-error another key
  expect(code(() => embed(wrongKey, { beside: a, imports: { accounts: output } }))).toBe('CONFIG')
  // @ts-expect-error a name that the job does not have
  expect(code(() => embed(reports, { beside: a, imports: { accounts: output, acounts: output } }))).toBe('UNKNOWN_NAME')
  expect(code(() => embed(reports))).toBe('CONFIG')
  expect(code(() => embed(reports, { beside: other, imports: { accounts: output } }))).toBe('CONFIG')
  expect(code(() => embed(reports, { beside: a, imports: { accounts: output }, clock: () => 1 }))).toBe('CONFIG')
  // @ts-expect-error imports are not written to
  expect(() => embed(reports, { beside: a, imports: { accounts: output } }).inputs.accounts).toThrow('There is no input')
  other.close()
  expect(code(() => embed(reports, { beside: other, imports: { accounts: output } }))).toBe('CLOSED')
  // Nothing of the failed ones is left behind.
  a.inputs.accounts.upsert(account(1, 2))
  a.commit()
  expect(output.rows()).toHaveLength(1)
})

test('errors of what is imported are errors here, those from before too, and each once', () => {
  const source = job('source', { rows: table({ k: int32, v: int32 }) }, ({ rows }) => {
    const mapped = rows.map({ k: int32, v: int32 }, ({ k, v }) => {
      if (v < 0) throw new Error(`negative ${v}`)
      return { k, v }
    })
    const twice = mapped.map({ k: int32, w: int32 }, ({ k, v }) => {
      if (v > 100) throw new Error(`large ${v}`)
      return { k, w: 2 * v }
    })
    return { byKey: mapped.keyBy('k'), twice: twice.keyBy('k') }
  })
  const reader = job(
    'reader',
    {
      rows: imported({ k: int32, v: int32 }, { key: 'k' }),
      twice: imported({ k: int32, w: int32 }, { key: 'k' }),
      own: table({ k: int32 }),
    },
    ({ rows, twice, own }) => ({ joined: own.join(rows, 'k').join(twice, 'k'), rows }),
  )
  using a = embed(source)
  a.inputs.rows.insertMany([
    { k: 1, v: -1 },
    { k: 2, v: 5 },
    { k: 3, v: 101 },
  ])
  a.inputs.rows.reject({ source: 'file', position: '1', excerpt: 'x', message: 'no row' })
  a.commit()
  using b = embed(reader, { beside: a, imports: { rows: a.outputs.byKey, twice: a.outputs.twice } })
  const messages = (): string[] => b.outputs.joined.errors.rows().map(({ message }) => message)
  expect(messages().sort()).toEqual(['Error: large 101', 'Error: negative -1', 'no row'])
  a.inputs.rows.insert({ k: 4, v: -2 })
  a.commit()
  expect(messages()).toHaveLength(4)
  a.inputs.rows.removeMany([
    { k: 1, v: -1 },
    { k: 3, v: 101 },
    { k: 4, v: -2 },
  ])
  a.inputs.rows.unreject({ source: 'file', position: '1', excerpt: 'x', message: 'no row' })
  expect(b.outputs.rows.errors.rows()).toHaveLength(3)
  b.commit()
  expect(b.outputs.joined.errors.multiset()).toEqual([])
  expect(b.outputs.rows.errors.multiset()).toEqual([])
})

test('subscribers of all apps are told when all are complete', () => {
  using a = embed(bank)
  using b = embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  const told: string[] = []
  a.outputs.accountsByOwner.subscribe(({ time }) => told.push(`a ${time === b.time} ${b.outputs.all.rows().length}`))
  b.outputs.all.subscribe(({ time, changes }) => told.push(`b ${time === a.time} ${changes.length}`))
  a.inputs.accounts.upsert(account(1, 2))
  a.commit()
  expect(told).toEqual(['a true 1', 'b true 1'])
})

test('holds of an importer keep the exporter readable, and go with it', () => {
  using a = embed(bank)
  const b = embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  a.inputs.accounts.upsert(account(1, 2))
  a.commit()
  const hold = b.hold()
  a.inputs.accounts.upsert(account(1, 3))
  b.commit()
  expect(b.outputs.again.rows({ asOf: hold.time })).toEqual([account(1, 2)])
  expect(b.outputs.all.rows({ asOf: hold.time })).toEqual([account(1, 2)])
  expect(a.outputs.accountsByOwner.rows({ asOf: hold.time })).toEqual([account(1, 2)])
  b.close()
  a.inputs.accounts.upsert(account(1, 4))
  a.commit()
  a.commit()
  expect(() => a.outputs.accountsByOwner.rows({ asOf: hold.time })).toThrow('the least that can still be read')
})

test('an exporter that is closed goes on for its importers', () => {
  const a = embed(bank)
  const b = embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  let told = 0
  a.outputs.accountsByOwner.subscribe(() => told++)
  a.inputs.accounts.upsertMany([account(1, 2), account(2, 2)])
  a.commit()
  a.inputs.accounts.upsert(account(3, 2))
  a.close()
  expect(() => a.commit()).toThrow('closed')
  b.commit()
  expect(b.outputs.all.rows()).toHaveLength(3)
  b.inputs.owners.insert({ ownerId: 2, name: 'ann' })
  b.commit()
  expect(b.outputs.named.rows()).toHaveLength(3)
  expect(told).toBe(1)
  b.close()
  expect(() => b.commit()).toThrow('closed')
})

test('an app that stops takes its importers with it, and nobody else', () => {
  const failing = job('failing', { rows: table({ k: int32, m: int32 }) }, ({ rows }) => {
    const sums = rows.groupBy('k').aggregate(() => ({ n: count() }))
    return { byKey: rows.keyBy('k'), sums }
  })
  const reader = job('reader', { rows: imported({ k: int32, m: int32 }, { key: 'k' }) }, ({ rows }) => ({ rows }))
  using first = embed(bank)
  const a = embed(failing, { beside: first })
  const b = embed(reader, { beside: a, imports: { rows: a.outputs.byKey } })
  const c = embed(reader, { beside: b, imports: { rows: a.outputs.byKey } })
  b.close()
  for (let i = 0; i < 2; i++) a.inputs.rows.insertColumns({ k: [1], m: [1] }, [2 ** 31 - 1])
  first.inputs.accounts.upsert(account(1, 1))
  expect(() => first.commit()).toThrow('2^31')
  expect(first.outputs.accountsByOwner.rows()).toHaveLength(1)
  expect(() => a.commit()).toThrow('the app failing stopped')
  expect(() => c.commit()).toThrow('imports from failing, which stopped')
  first.commit()
})

test('an import is imported again', () => {
  const middle = job('middle', { accounts: importedAccounts }, ({ accounts }) => ({ byOwner: accounts.keyBy('ownerId') }))
  using a = embed(bank)
  a.inputs.accounts.upsert(account(1, 2))
  a.commit()
  const b = embed(middle, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
  using c = embed(reports, { beside: a, imports: { accounts: b.outputs.byOwner } })
  a.inputs.accounts.upsert(account(2, 2))
  a.commit()
  expect(c.outputs.pairs.rows()).toHaveLength(4)
  b.close()
  a.inputs.accounts.upsert(account(3, 2))
  a.commit()
  expect(c.outputs.pairs.rows()).toHaveLength(9)
})

test('rows that expire, loops and texts work beside another app', () => {
  const edges = job('edges', { edges: table({ src: int32, dst: int32, until: timestamp }) }, ({ edges }) => ({ bySrc: edges.keyBy('src') }))
  const reach = job(
    'reach',
    { edges: imported({ src: int32, dst: int32, until: timestamp }, { key: 'src' }), roots: table({ node: int32 }) },
    ({ edges, roots }) => {
      const valid = edges.validBetween(null, (e) => e.until)
      return {
        valid,
        reached: roots.iterate((reached, enter) =>
          reached
            .join(enter(valid), { node: 'src' }, (_, e) => ({ node: e.dst }))
            .concat(enter(roots))
            .distinct(),
        ),
      }
    },
  )
  let now = 1_000_000
  using a = embed(edges, { clock: () => now })
  const edge = (src: number, dst: number, until: number) => ({ src, dst, until: BigInt(until) })
  a.inputs.edges.insertMany([edge(1, 2, now + 10), edge(2, 3, now + Number(minutes(1)))])
  a.commit()
  using b = embed(reach, { beside: a, imports: { edges: a.outputs.bySrc } })
  expect(b.outputs.valid.rows()).toHaveLength(2)
  b.inputs.roots.insert({ node: 1 })
  a.commit()
  expect(b.outputs.reached.rows().map(({ node }) => node)).toEqual([1, 2, 3])
  now += 20
  b.commit()
  expect(b.outputs.reached.rows().map(({ node }) => node)).toEqual([1])
})

test('key tables forget the operators of a part that is gone', () => {
  const dictionary = new Dictionary()
  const exporter = new Dataflow('exporter', dictionary)
  const input = new InputOperator(exporter, 'rows', new Schema(accountColumns))
  const rows = streamOf(input, input.schema)
  const index = new ArrangeOperator(rows, [1], [int32], exporter.keyTable([int32]))
  const part = new EnginePart('importer', new Dataflow('importer', dictionary), () => {})
  const operator = new ImportArrangementOperator(part.dataflow, index, rows.schema.names, 'accounts', rows.schema, new Set())
  part.imports.push(operator)
  const { outputs, inputNodes, importNodes } = reports
  const before = [...index.keys.users]
  const nodes = Object.values(outputs).map(({ node }) => node)
  part.build(() => {
    const builder = new Builder(part.dataflow, nodes, [], new Map([[importNodes.accounts, operator]]))
    part.inputs.push(builtInput(builder, inputNodes.owners).input)
    for (const node of nodes) builder.of(node)
  })
  expect(index.keys.users.length).toBeGreaterThan(before.length)
  expect(index.readers).toHaveLength(1)
  for (let time = 0; time < 100; time++) {
    input.changeRows([account(time, time % 3)], 1)
    input.seal(time)
    part.seal(time)
    exporter.run()
    part.run(time)
  }
  // What was lent has come back, and is not noted twice.
  expect(Reflect.get(operator, 'lent')).toHaveLength(1)
  expect(index.trace.batches).toBeLessThanOrEqual(1)
  part.detach()
  expect(index.keys.users).toEqual(before)
  expect(index.readers).toHaveLength(0)
})

test('whatever happens in whatever order, two apps show what one job would', () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), id: fc.nat(12), owner: fc.integer({ min: -2, max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.nat(12) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('owner' as const),
        id: fc.integer({ min: -2, max: 5 }),
        difference: fc.constantFrom(1, -1),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('commit' as const), first: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('many' as const), id: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('hold' as const) }) },
  )
  fc.assert(
    fc.property(fc.array(act, { minLength: 3, maxLength: 40 }), (acts) => {
      using a = embed(bank, { clock: () => 0 })
      const open = () => embed(reports, { beside: a, imports: { accounts: a.outputs.accountsByOwner } })
      let b = open()
      using one = embed(together, { clock: () => 0 })
      const owners: { ownerId: number; name: string }[] = []
      for (const step of acts) {
        if (step.kind === 'put') {
          a.inputs.accounts.upsert(account(step.id, step.owner))
          one.inputs.accounts.upsert(account(step.id, step.owner))
        } else if (step.kind === 'delete') {
          a.inputs.accounts.delete({ accountId: step.id })
          one.inputs.accounts.delete({ accountId: step.id })
        } else if (step.kind === 'owner') {
          const row = { ownerId: step.id, name: `owner ${step.id}` }
          const at = owners.findIndex(({ ownerId }) => ownerId === step.id)
          if (step.difference < 0 && at < 0) continue
          if (step.difference > 0) owners.push(row)
          else owners.splice(at, 1)
          for (const input of [b.inputs.owners, one.inputs.owners]) {
            if (step.difference > 0) input.insert(row)
            else input.remove(row)
          }
        } else if (step.kind === 'many') {
          const rows = Array.from({ length: 2100 }, (_, i) => account(100 + i, 10 + ((i + step.id) % 700)))
          a.inputs.accounts.upsertMany(rows)
          one.inputs.accounts.upsertMany(rows)
        } else if (step.kind === 'hold') {
          if (b.time >= 0) b.hold()
        } else if (step.kind === 'reopen') {
          b.close()
          b = open()
          for (const owner of owners) b.inputs.owners.insert(owner)
        } else {
          if (step.first) a.commit()
          else b.commit()
          one.commit()
          for (const name of names) expect(b.outputs[name].multiset(), name).toEqual(one.outputs[name].multiset())
        }
      }
      b.close()
    }),
    { numRuns: 60 },
  )
})
