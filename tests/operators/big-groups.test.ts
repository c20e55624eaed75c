/** Groups and join keys of tens of thousands of rows: right, and no more work a row than in small ones. */
import { expect, test } from 'vitest'
import { count, embed, int32, int64, job, max, table } from '../../millrace.ts'

const N = 20_000

interface Row {
  readonly k: number
  readonly id: number
  readonly n: bigint
}

const rows: readonly Row[] = Array.from({ length: N }, (_, id) => ({ k: 1, id, n: BigInt((id * 7919) % 10_007) }))
const removed = rows.filter(({ id }) => id % 3 === 0)
const kept = rows.filter(({ id }) => id % 3 !== 0)
const columns = { k: int32, id: int32, n: int64 }

function best(of: readonly Row[], k: number): number[] {
  return [...of]
    .sort((a, b) => Number(b.n - a.n) || a.id - b.id)
    .slice(0, k)
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}

const ids = (shown: readonly { readonly id: number }[]): number[] => shown.map(({ id }) => id).sort((a, b) => a - b)

test('topK of all rows, and of one int32 column', () => {
  const top = job('top', { rows: table(columns), words: table({ id: int32 }) }, (inputs) => ({
    out: inputs.rows.topK(50, (row) => [row.n.desc(), row.id.asc()]),
    words: inputs.words.topK(50, (row) => row.id.desc()),
  }))
  using app = embed(top)
  const words = rows.map(({ id }) => ({ id }))
  app.inputs.rows.insertMany(rows)
  app.inputs.words.insertMany(words)
  app.commit()
  expect(ids(app.outputs.out.rows())).toEqual(best(rows, 50))
  expect(ids(app.outputs.words.rows())).toEqual(ids(words.slice(-50)))
  app.inputs.rows.removeMany(removed)
  app.inputs.words.removeMany(words.slice(100))
  app.commit()
  expect(ids(app.outputs.out.rows())).toEqual(best(kept, 50))
  expect(ids(app.outputs.words.rows())).toEqual(ids(words.slice(50, 100)))
})

test('a join key with many rows on one side and few on the other', () => {
  const joined = job('joined', { many: table(columns), few: table({ k: int32, x: int32 }) }, ({ many, few }) => ({
    out: many.join(few, 'k', (a, b) => ({ id: a.id, x: b.x })),
  }))
  using app = embed(joined)
  app.inputs.many.insertMany(rows)
  app.commit()
  app.inputs.few.insert({ k: 1, x: 5 })
  app.commit()
  const all = app.outputs.out.rows()
  expect(all.every(({ x }) => x === 5)).toBe(true)
  expect(ids(all).join()).toBe(ids(rows).join())
  app.inputs.many.removeMany(removed)
  app.inputs.few.insert({ k: 1, x: 6 })
  app.inputs.few.remove({ k: 1, x: 5 })
  app.commit()
  const rest = app.outputs.out.rows()
  expect(rest.every(({ x }) => x === 6)).toBe(true)
  expect(ids(rest).join()).toBe(ids(kept).join())
})

test('aggregates and functions of one group', () => {
  const grouped = job('grouped', { rows: table(columns) }, (inputs) => ({
    aggregates: inputs.rows.groupBy('k').aggregate((row) => ({ greatest: max(row.n), latest: max(row.id), rows: count() })),
    reduced: inputs.rows.groupBy('k').reduce({ sum: int64, rows: int32 }, (group) => {
      let sum = 0n
      let n = 0
      for (const { row, diff: times } of group) {
        sum += row.n * BigInt(times)
        n += times
      }
      return [{ sum, rows: n }]
    }),
  }))
  using app = embed(grouped)
  const expected = (of: readonly Row[]) => {
    const sum = of.reduce((total, { n }) => total + n, 0n)
    const greatest = of.reduce((most, { n }) => (n > most ? n : most), 0n)
    return {
      aggregates: { k: 1, greatest, latest: of[of.length - 1].id, rows: BigInt(of.length) },
      reduced: { k: 1, sum, rows: of.length },
    }
  }
  const shown = () => ({ aggregates: app.outputs.aggregates.rows()[0], reduced: app.outputs.reduced.rows()[0] })
  app.inputs.rows.insertMany(rows)
  app.commit()
  expect(shown()).toEqual(expected(rows))
  app.inputs.rows.removeMany(removed)
  app.inputs.rows.remove(kept[kept.length - 1])
  app.commit()
  expect(shown()).toEqual(expected(kept.slice(0, -1)))
})

test('in a loop: many rows of one key are joined, and one of a group stays', () => {
  const loop = job('loop', { edges: table({ src: int32, dst: int32 }), roots: table({ node: int32 }) }, ({ edges, roots }) => ({
    reached: roots.iterate((reached, enter) =>
      enter(edges)
        .join(reached, { src: 'node' }, (edge) => ({ node: edge.dst }))
        .concat(enter(roots))
        .distinct(),
    ),
    least: roots.iterate((reached, enter) =>
      enter(edges)
        .join(reached, { src: 'node' }, (edge) => ({ node: edge.dst }))
        .concat(enter(roots))
        .topK(1, (row) => row.node.asc()),
    ),
  }))
  using app = embed(loop)
  app.inputs.roots.insert({ node: 0 })
  app.inputs.edges.insertMany(rows.map(({ id }) => ({ src: 0, dst: id + 1 })))
  app.commit()
  expect(app.outputs.reached.rows()).toHaveLength(N + 1)
  expect(app.outputs.least.rows()).toEqual([{ node: 0 }])
  app.inputs.edges.removeMany(removed.map(({ id }) => ({ src: 0, dst: id + 1 })))
  app.commit()
  expect(app.outputs.reached.rows()).toHaveLength(kept.length + 1)
})
