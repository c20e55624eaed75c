/** Random programs: joins, aggregates, and what keeps rows by their content. */
import { aggregate } from '../../operators/aggregate.ts'
import { consolidate } from '../../operators/consolidate.ts'
import { distinct } from '../../operators/distinct.ts'
import { avg, count, countDistinct, max, min, sum } from '../../operators/expression/aggregate.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { reduce } from '../../operators/reduce.ts'
import { threshold } from '../../operators/threshold.ts'
import { type ColumnType, int32 } from '../../runtime/data/column-type.ts'
import { commonKeyType } from '../../runtime/data/key-encoding.ts'
import { compareDecoded } from '../../runtime/data/value-order.ts'
import * as groups from '../oracle/aggregate.ts'
import { add, type Multiset, type Row, textOf } from '../oracle/multiset.ts'
import { distinctRows, thresholded } from '../oracle/threshold.ts'
import { columnsOf, type Family, type Made, type Numbers, nameOfColumn, pairsOf, type Source, typesOf } from './family.ts'
import { mixed } from './values.ts'

// biome-ignore lint/suspicious/noExplicitAny: an expression of a kind that is only known at run time
type Any = any

/** Equal texts exactly for equal keys. Whole numbers of both sizes are one kind of key; so are decimals of one value. */
export function keyText(value: unknown, type: ColumnType): string {
  if (value === 0) return '0'
  if (type.kind === 'decimal' && value !== null) return String(Number(value))
  return typeof value === 'bigint' ? String(value) : textOf(value)
}

/** Two collections, and one or two pairs of columns that can be keys together; null if there is none. */
export function keyed(numbers: Numbers, sources: readonly Source[]) {
  const left = numbers.of(sources)
  const right = numbers.of(sources)
  const pairs = pairsOf(left, right, (a, b) => commonKeyType(a, b) !== null && (a.kind === b.kind || (!a.nullable && !b.nullable)))
  if (pairs.length === 0) return null
  const chosen = Array.from({ length: 1 + numbers.below(2) }, () => numbers.of(pairs))
  const used = chosen.filter(([i, j], at) => !chosen.slice(0, at).some(([a, b]) => a === i || b === j))
  const leftText = (row: Row): string => used.map(([i]) => keyText(row[nameOfColumn(i)], typesOf(left)[i])).join('|')
  const rightText = (row: Row): string => used.map(([, j]) => keyText(row[nameOfColumn(j)], typesOf(right)[j])).join('|')
  return { left, right, leftKeys: used.map(([i]) => i), rightKeys: used.map(([, j]) => j), leftText, rightText }
}

/** Up to two columns of each side, as a projection, and what it makes of two rows. */
function projectionOf(numbers: Numbers, left: Made, right: Made) {
  const picks = [0, 1].flatMap((side) =>
    Array.from({ length: 1 + numbers.below(2) }, () => ({ side, column: numbers.below(typesOf(side === 0 ? left : right).length) })),
  )
  const node = (side: number, column: number) => {
    const { schema } = (side === 0 ? left : right).node
    return { ...columnNode(schema.names[column], schema.types[column]), side }
  }
  return {
    projection: Object.fromEntries(picks.map(({ side, column }, i) => [nameOfColumn(i), { node: node(side, column) }])),
    rowOf: (mine: Row, theirs: Row): Row =>
      Object.fromEntries(picks.map(({ side, column }, i) => [nameOfColumn(i), (side === 0 ? mine : theirs)[nameOfColumn(column)]])),
  }
}

const joinFamily: Family = (numbers, sources) => {
  const keys = keyed(numbers, sources)
  if (keys === null) return null
  const { left, right, leftKeys, rightKeys, leftText, rightText } = keys
  const { projection, rowOf } = projectionOf(numbers, left, right)
  return {
    node: innerJoin(left.node, right.node, leftKeys, rightKeys, projection),
    proper: left.proper && right.proper,
    define: (contents) => {
      const rows: Multiset = new Map()
      const [lefts, rights] = [contents[left.at], contents[right.at]]
      for (const mine of lefts.values())
        for (const theirs of rights.values())
          if (leftText(mine.row) === rightText(theirs.row)) add(rows, rowOf(mine.row, theirs.row), mine.count * theirs.count)
      return { rows, errors: 0 }
    },
  }
}

interface Shown {
  readonly spec: Any
  readonly is: groups.Shown
}

function aggregatesOf({ node }: Made, column: number, name: string): readonly Shown[] {
  const type = node.schema.types[column]
  const at = nameOfColumn(column)
  const x: Any = new Expression(columnNode(node.schema.names[column], type))
  const { nullable } = type
  const order = (a: unknown, b: unknown): number => compareDecoded({ ...type, nullable: false }, a, b, true)
  const always: Shown[] = [
    { spec: count(), is: groups.count },
    { spec: count(x), is: groups.countOf(at) },
    { spec: min(x), is: groups.extreme(at, -1, nullable, order) },
    { spec: max(x), is: groups.extreme(at, 1, nullable, order) },
  ]
  if (type.kind !== 'decimal') always.push({ spec: countDistinct(x), is: groups.countDistinct(at) })
  if (type.kind === 'float64')
    return [...always, { spec: sum(x), is: groups.floatSum(at, nullable) }, { spec: avg(x), is: groups.average(at, true) }]
  if (type.kind === 'int32' || type.kind === 'int64')
    return [...always, { spec: sum(x), is: groups.integerSum(at, name, nullable) }, { spec: avg(x), is: groups.average(at, false) }]
  return always
}

/** Keys of a grouping: columns whose keys are what they show. */
function keysOf(numbers: Numbers, source: Source, most: number): number[] {
  const possible = typesOf(source).flatMap((type, i) => (type.kind === 'decimal' ? [] : [i]))
  const keys = new Set<number>()
  for (let n = numbers.below(most + 1); n > 0; n--) if (possible.length > 0) keys.add(numbers.of(possible))
  return [...keys]
}

/** Counts only: their state is all that can be stored so far. */
const countFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const names = keysOf(numbers, source, 2).map(nameOfColumn)
  const made = aggregate(source.node, names, { n: count().spec })
  return {
    node: columnsOf(
      made,
      made.schema.names.map((_, i) => i),
    ),
    proper: true,
    define: (contents) => {
      const rows: Multiset = new Map()
      for (const { row, count } of groups.aggregated(contents[source.at], names, { n: groups.count }).rows.values())
        add(rows, Object.fromEntries([...names, 'n'].map((name, i) => [nameOfColumn(i), row[name]])), count)
      return { rows, errors: 0 }
    },
  }
}

const aggregateFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const keys = keysOf(numbers, source, 2)
  const shown = Array.from({ length: 1 + numbers.below(2) }, (_, i) => {
    const name = `a${i}`
    return [name, numbers.of(aggregatesOf(source, numbers.below(typesOf(source).length), name))] as const
  })
  const names = keys.map(nameOfColumn)
  const made = aggregate(source.node, names, Object.fromEntries(shown.map(([name, one]) => [name, one.spec.spec])))
  const order = [...names, ...shown.map(([name]) => name)]
  return {
    node: columnsOf(
      made,
      order.map((_, i) => i),
    ),
    proper: true,
    define: (contents) => {
      const { rows, errors } = groups.aggregated(contents[source.at], names, Object.fromEntries(shown.map(([name, one]) => [name, one.is])))
      const out: Multiset = new Map()
      for (const { row, count } of rows.values()) add(out, Object.fromEntries(order.map((name, i) => [nameOfColumn(i), row[name]])), count)
      return { rows: out, errors: sizeOf(errors) }
    },
  }
}

function sizeOf(content: Multiset): number {
  let size = 0
  for (const { count } of content.values()) size += count
  return size
}

const distinctFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  return { node: distinct(source.node), proper: true, define: (contents) => ({ rows: distinctRows(contents[source.at]), errors: 0 }) }
}

const consolidateFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  return { node: consolidate(source.node), proper: source.proper, define: (contents) => ({ rows: contents[source.at], errors: 0 }) }
}

const thresholdFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const salt = numbers.below(4)
  const fn = (multiplicity: number): number => {
    if (multiplicity === 5) throw new Error('not five')
    return [multiplicity > 1 ? 1 : 0, Math.min(multiplicity, 2), -multiplicity, multiplicity % 3][salt] as number
  }
  return {
    node: threshold(source.node, fn),
    proper: false,
    define: (contents) => {
      const proper: Multiset = new Map()
      let errors = 0
      for (const [text, one] of contents[source.at]) {
        if (one.count === 5) errors++
        else proper.set(text, one)
      }
      return { rows: thresholded(proper, fn), errors }
    },
  }
}

const reduceFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const keys = keysOf(numbers, source, 1)
  const salt = numbers.below(7)
  const names = keys.map(nameOfColumn)
  const fn = (rows: readonly { row: object; diff: number }[]): { n: number; m: number }[] => {
    const mixes = rows.map(({ row, diff }) => mixed(textOf(sortedRow(row)) + diff) % 1000)
    const total = mixes.reduce((a, b) => (a + b) % 1000, salt)
    if (total % 13 === 0) throw new Error('no such group')
    return Array.from({ length: total % 3 }, (_, i) => ({ n: total % 5, m: i % 2 }))
  }
  const made = reduce(source.node, names, { n: int32, m: int32 }, fn as Any)
  return {
    node: columnsOf(
      made,
      made.schema.names.map((_, i) => i),
    ),
    proper: true,
    define: (contents) => {
      const rows: Multiset = new Map()
      let errors = 0
      for (const { key, rows: members } of groups.groupsOf(contents[source.at], names)) {
        try {
          for (const { n, m } of fn(members.map(({ row, count }) => ({ row, diff: count })))) {
            const values = [...names.map((name) => key[name]), n, m]
            add(rows, Object.fromEntries(values.map((value, i) => [nameOfColumn(i), value])), 1)
          }
        } catch {
          errors++
        }
      }
      return { rows, errors }
    },
  }
}

function sortedRow(row: object): object {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export const keyedFamilies: Readonly<Record<string, Family>> = {
  join: joinFamily,
  aggregate: aggregateFamily,
  count: countFamily,
  distinct: distinctFamily,
  consolidate: consolidateFamily,
  threshold: thresholdFamily,
  reduce: reduceFamily,
}
