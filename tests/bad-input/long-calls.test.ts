/** Calls of many rows with a wrong one among them: nothing of the call is taken, whatever reads the input, and the app goes on. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { count, embed, int32, int64, job, max, min, stream, sum, table, text } from '../../millrace.ts'

const columns = { id: int32, n: int64, name: text }

interface Row {
  readonly id: number
  readonly n: bigint
  readonly name: string
}

const extremes = job('extremes', { rows: stream(columns) }, ({ rows }) => ({
  all: rows.groupBy().aggregate((row) => ({ least: min(row.n), greatest: max(row.n), last: max(row.name), rows: count() })),
}))

function rowsOf(from: number, to: number): Row[] {
  return Array.from({ length: to - from }, (_, i) => ({ id: from + i, n: BigInt(from + i), name: `row ${10_000 + from + i}` }))
}

function withWrong(rows: readonly Row[], at: number): Row[] {
  return rows.map((row, i) => (i === at ? { ...row, n: 'wrong' as unknown as bigint } : row))
}

const BAD_ROW = expect.objectContaining({ code: 'BAD_ROW' })

test.each(['rows', 'columns'] as const)('a stream whose reader takes no removals: a wrong row far back in a call of %s', (form) => {
  using app = embed(extremes)
  const insert = (rows: readonly Row[]): void => {
    if (form === 'rows') app.inputs.rows.insertMany(rows)
    else app.inputs.rows.insertColumns({ id: rows.map((r) => r.id), n: rows.map((r) => r.n), name: rows.map((r) => r.name) })
  }
  insert(rowsOf(100, 200))
  expect(() => insert(withWrong(rowsOf(0, 7000), 6500))).toThrow(BAD_ROW)
  insert(rowsOf(200, 5000))
  expect(() => insert(withWrong(rowsOf(5000, 12_000), 6999))).toThrow(/of row 6999/)
  app.commit()
  expect(app.outputs.all.rows()).toEqual([{ least: 100n, greatest: 4999n, last: 'row 14999', rows: 4900n }])
  insert(rowsOf(50, 100))
  app.commit()
  expect(app.outputs.all.rows()).toEqual([{ least: 50n, greatest: 4999n, last: 'row 14999', rows: 4950n }])
})

test('texts of a long call that waits while the dataflow runs outlive those that are collected then', () => {
  const waiting = rowsOf(100_000, 105_000)
  let writes = false
  const names = job('names', { rows: table(columns), more: table(columns) }, ({ rows, more }) => ({
    all: more,
    rest: rows.inspect(() => {
      if (writes) app.inputs.more.insertMany(waiting)
      writes = false
    }),
  }))
  using app = embed(names)
  const old = rowsOf(0, 70_000)
  app.inputs.rows.insertMany(old)
  app.inputs.rows.removeMany(old)
  writes = true
  app.commit()
  expect(writes).toBe(false)
  app.inputs.rows.insertMany(rowsOf(200_000, 270_000))
  app.commit()
  expect(app.outputs.all.rows()).toHaveLength(waiting.length)
  const wrong = app.outputs.all.rows().filter(({ id, name }) => name !== `row ${10_000 + id}`)
  expect(wrong).toEqual([])
})

interface Call {
  readonly size: number
  readonly wrong: number | null
  readonly difference: 1 | -1
  readonly commit: boolean
}

const calls = fc.array(
  fc.record({
    size: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 2000, max: 2100 }), fc.integer({ min: 0, max: 9000 })),
    wrong: fc.option(fc.nat(9000), { nil: null }),
    difference: fc.constantFrom(1, 1, -1),
    commit: fc.boolean(),
  }) satisfies fc.Arbitrary<Call>,
  { minLength: 1, maxLength: 8 },
)

test('any calls: those without a wrong row count, the others do not', () => {
  const totals = job('totals', { rows: table(columns) }, ({ rows }) => ({
    all: rows.groupBy().aggregate((row) => ({ n: sum(row.n), rows: count() })),
    changes: rows
      .groupBy()
      .aggregate(() => ({ rows: count() }))
      .changelog(),
  }))
  fc.assert(
    fc.property(calls, (all) => {
      using app = embed(totals)
      let n = 0n
      let count = 0n
      let next = 0
      for (const { size, wrong, difference, commit } of all) {
        const rows = rowsOf(next, next + size)
        next += size
        const at = wrong === null || size === 0 ? -1 : wrong % size
        const call = (): void =>
          difference > 0 ? app.inputs.rows.insertMany(withWrong(rows, at)) : app.inputs.rows.removeMany(withWrong(rows, at))
        if (at >= 0) expect(call).toThrow(BAD_ROW)
        else {
          call()
          n += BigInt(difference) * rows.reduce((total, row) => total + row.n, 0n)
          count += BigInt(difference * size)
        }
        if (commit) app.commit()
      }
      app.commit()
      const [shown] = app.outputs.all.rows()
      if (count !== 0n || n !== 0n) expect(shown).toEqual({ n, rows: count })
    }),
    { numRuns: 40 },
  )
})
