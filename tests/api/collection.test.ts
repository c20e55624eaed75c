/** Each method of a collection, once, through the API: what it means is tested with the operators. */
import { expect, test } from 'vitest'
import {
  avg,
  count,
  embed,
  int32,
  int64,
  iterateAll,
  job,
  max,
  min,
  nullable,
  reachability,
  stream,
  sum,
  table,
  text,
} from '../../millrace.ts'

const orders = table({ id: int32, city: text, cents: int32 })
const rows = [
  { id: 1, city: 'Rimini', cents: 5 },
  { id: 2, city: 'Rimini', cents: 9 },
  { id: 3, city: 'Bari', cents: 7 },
]

test('one job of all there is', () => {
  const everything = job('everything', { orders, extra: stream({ id: int32, city: text, cents: int32 }) }, ({ orders, extra }) => ({
    select: orders.select((o) => ({ id: o.id, double: o.cents.times(2) })),
    filter: orders.filter((o) => o.cents.gt(6).and(o.city.eq('Rimini'))),
    filterRows: orders.filterRows((o) => o.id % 2 === 1),
    map: orders.map({ label: text }, (o) => ({ label: `${o.city} ${o.id}` })),
    flatMap: orders.flatMap({ cents: int64 }, (o) => [{ cents: BigInt(o.cents) }, { cents: -1n }]),
    concat: orders.concat(extra, orders.negate()),
    distinct: orders.select((o) => ({ city: o.city })).distinct(),
    threshold: orders.select((o) => ({ city: o.city })).threshold((n) => n * 2),
    consolidate: orders.consolidate(),
    aggregate: orders
      .groupBy('city')
      .aggregate((o) => ({ n: count(), s: sum(o.cents), a: avg(o.cents), lo: min(o.cents), hi: max(o.cents) })),
    total: orders.groupBy().aggregate((o) => ({ s: sum(o.cents) })),
    reduce: orders
      .groupBy('city')
      .reduce({ ids: text }, (group, key) => [{ ids: `${key.city}: ${group.map(({ row }) => row.id).sort()}` }]),
    topK: orders.topK(2, (o) => o.cents.desc()),
    topOfEach: orders.groupBy('city').topK(1, (o) => [o.cents.desc(), o.id.asc()]),
    join: orders.join(extra, 'city', (o, e) => ({ mine: o.id, theirs: e.id })),
  }))
  using app = embed(everything)
  app.inputs.orders.insertMany(rows)
  app.inputs.extra.insert({ id: 10, city: 'Rimini', cents: 1 })
  app.commit()
  const out = app.outputs
  expect(out.select.rows()).toEqual([
    { id: 1, double: 10 },
    { id: 2, double: 18 },
    { id: 3, double: 14 },
  ])
  expect(out.filter.rows()).toEqual([rows[1]])
  expect(out.filterRows.rows()).toEqual([rows[0], rows[2]])
  expect(out.map.rows().map((row) => row.label)).toEqual(['Bari 3', 'Rimini 1', 'Rimini 2'])
  expect(out.flatMap.rows().map((row) => row.cents)).toEqual([-1n, -1n, -1n, 5n, 7n, 9n])
  expect(out.concat.rows()).toEqual([{ id: 10, city: 'Rimini', cents: 1 }])
  expect(out.distinct.rows()).toEqual([{ city: 'Bari' }, { city: 'Rimini' }])
  expect(out.threshold.multiset()).toEqual([
    { row: { city: 'Bari' }, multiplicity: 2 },
    { row: { city: 'Rimini' }, multiplicity: 4 },
  ])
  expect(out.consolidate.rows()).toEqual(rows)
  expect(out.aggregate.rows()).toEqual([
    { city: 'Bari', n: 1n, s: 7n, a: 7, lo: 7, hi: 7 },
    { city: 'Rimini', n: 2n, s: 14n, a: 7, lo: 5, hi: 9 },
  ])
  expect(out.total.rows()).toEqual([{ s: 21n }])
  expect(out.reduce.rows()).toEqual([
    { city: 'Bari', ids: 'Bari: 3' },
    { city: 'Rimini', ids: 'Rimini: 1,2' },
  ])
  expect(out.topK.rows()).toEqual([rows[1], rows[2]])
  expect(out.topOfEach.rows()).toEqual([rows[1], rows[2]])
  expect(out.join.rows()).toEqual([
    { mine: 1, theirs: 10 },
    { mine: 2, theirs: 10 },
  ])
})

test('outer joins, semijoins, antijoins', () => {
  const people = table({ id: int32, name: text, boss: nullable(int32) })
  const teams = table({ lead: int64, team: text })
  const j = job('j', { people, teams }, ({ people, teams }) => ({
    left: people.leftJoin(teams, { id: 'lead' }, (p, t) => ({ name: p.name, team: t.team.orElse('none') })),
    leftAll: people.leftJoin(teams, { id: 'lead' }),
    right: people.rightJoin(teams, { id: 'lead' }),
    outer: people.outerJoin(teams, { id: 'lead' }),
    semi: people.semijoin(teams, { id: 'lead' }),
    anti: people.antijoin(teams, { id: 'lead' }),
    bosses: people.join(people, { boss: 'id' }, (p, b) => ({ name: p.name, boss: b.name })),
  }))
  using app = embed(j)
  const ann = { id: 1, name: 'ann', boss: null }
  const bob = { id: 2, name: 'bob', boss: 1 }
  app.inputs.people.insertMany([ann, bob])
  app.inputs.teams.insertMany([
    { lead: 2n, team: 'red' },
    { lead: 3n, team: 'blue' },
  ])
  app.commit()
  const { outputs } = app
  expect(outputs.left.rows()).toEqual([
    { name: 'ann', team: 'none' },
    { name: 'bob', team: 'red' },
  ])
  const leftAll: { id: number; name: string; boss: number | null; team: string | null }[] = outputs.leftAll.rows()
  expect(leftAll).toEqual([
    { ...ann, team: null },
    { ...bob, team: 'red' },
  ])
  const right: { id: bigint; name: string | null; boss: number | null; team: string }[] = outputs.right.rows()
  expect(right).toEqual([
    { id: 2n, name: 'bob', boss: 1, team: 'red' },
    { id: 3n, name: null, boss: null, team: 'blue' },
  ])
  const outer: { id: bigint | null; name: string | null; boss: number | null; team: string | null }[] = outputs.outer.rows()
  expect(outer).toEqual([
    { id: 1n, name: 'ann', boss: null, team: null },
    { id: 2n, name: 'bob', boss: 1, team: 'red' },
    { id: 3n, name: null, boss: null, team: 'blue' },
  ])
  expect(outputs.semi.rows()).toEqual([bob])
  expect(outputs.anti.rows()).toEqual([ann])
  expect(outputs.bosses.rows()).toEqual([{ name: 'bob', boss: 'ann' }])
})

test('inspect sees what passes', () => {
  const seen: unknown[] = []
  const j = job('j', { orders }, ({ orders }) => ({
    cities: orders
      .select((o) => ({ city: o.city }))
      .inspect(({ time, row, diff }) => seen.push([time, row.city, diff]))
      .changelog(),
  }))
  using app = embed(j)
  app.inputs.orders.insertMany(rows.slice(1))
  const time = app.commit()
  expect(seen).toEqual([
    [time, 'Rimini', 1],
    [time, 'Bari', 1],
  ])
})

test('iterate reaches a fixed point', () => {
  const reach = job('reach', { roots: table({ node: int32 }), edges: table({ src: int32, dst: int32 }) }, ({ roots, edges }) => ({
    reached: roots.iterate((reached, enter) =>
      enter(edges)
        .join(reached, { src: 'node' }, (edge) => ({ node: edge.dst }))
        .concat(enter(roots))
        .distinct(),
    ),
  }))
  using app = embed(reach)
  app.inputs.roots.insert({ node: 0 })
  app.inputs.edges.insertMany([
    { src: 0, dst: 1 },
    { src: 1, dst: 2 },
    { src: 2, dst: 0 },
    { src: 7, dst: 8 },
  ])
  app.commit()
  expect(app.outputs.reached.rows().map((row) => row.node)).toEqual([0, 1, 2])
  app.inputs.edges.remove({ src: 1, dst: 2 })
  app.commit()
  expect(app.outputs.reached.rows().map((row) => row.node)).toEqual([0, 1])
})

test('loops over several collections, and reachability', () => {
  const edges = table({ src: int32, dst: int32 })
  const j = job('j', { roots: table({ node: int32 }), edges }, ({ roots, edges }) => {
    const { even, odd } = iterateAll({ even: roots, odd: roots.filter((r) => r.node.lt(0)) }, ({ even, odd }, enter) => {
      const step = (from: typeof even) => enter(edges).join(from, { src: 'node' }, (edge) => ({ node: edge.dst }))
      return { even: step(odd).concat(enter(roots)).distinct(), odd: step(even).distinct() }
    })
    return { even, odd, all: reachability(roots, edges, 'src', 'dst') }
  })
  using app = embed(j)
  app.inputs.roots.insert({ node: 0 })
  app.inputs.edges.insertMany([0, 1, 2].map((src) => ({ src, dst: src + 1 })))
  app.commit()
  const nodes = (rows: { node: number }[]) => rows.map((row) => row.node)
  expect(nodes(app.outputs.even.rows())).toEqual([0, 2])
  expect(nodes(app.outputs.odd.rows())).toEqual([1, 3])
  expect(nodes(app.outputs.all.rows())).toEqual([0, 1, 2, 3])
})
