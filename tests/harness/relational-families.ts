/** Random programs: semijoins and outer joins, the first rows of groups, and rows that are valid for a time. */
import { antijoin, join, type KeyPairs, leftJoin, outerJoin, rightJoin, semijoin } from '../../operators/equi-join.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { topK } from '../../operators/top-k.ts'
import { validFor } from '../../operators/valid-between.ts'
import { nullable } from '../../runtime/data/column-type.ts'
import { compareDecoded } from '../../runtime/data/value-order.ts'
import { topRows } from '../oracle/group.ts'
import { antijoined, outerJoined, semijoined } from '../oracle/join.ts'
import { add, type Multiset, type Row } from '../oracle/multiset.ts'
import { type Family, type Numbers, nameOfColumn, pairsOf, type Source, typesOf } from './family.ts'

/** Two collections and a pair of columns of one kind whose values are equal exactly if their keys are. */
function paired(numbers: Numbers, sources: readonly Source[]) {
  const left = numbers.of(sources)
  const right = numbers.of(sources)
  const pairs = pairsOf(left, right, (a, b) => a.kind === b.kind && a.nullable === b.nullable && a.kind !== 'decimal')
  if (pairs.length === 0) return null
  const [i, j] = numbers.of(pairs)
  const keys: KeyPairs = [[nameOfColumn(i), nameOfColumn(j)]]
  return { left, right, keys, i, j }
}

const semijoinFamily: Family = (numbers, sources) => {
  const sides = paired(numbers, sources)
  if (sides === null) return null
  const { left, right, keys } = sides
  const matching = numbers.below(2) === 0
  return {
    node: matching ? semijoin(left.node, right.node, keys) : antijoin(left.node, right.node, keys),
    proper: left.proper,
    define: (contents) => {
      const [lefts, rights] = [contents[left.at], contents[right.at]]
      return { rows: matching ? semijoined(lefts, rights, keys) : antijoined(lefts, rights, keys), errors: 0 }
    },
  }
}

const outerFamily: Family = (numbers, sources) => {
  const sides = paired(numbers, sources)
  if (sides === null) return null
  const { left, right, keys, i, j } = sides
  const which = numbers.below(4)
  const picks = [
    { side: 0, column: i },
    { side: 0, column: numbers.below(typesOf(left).length) },
    { side: 1, column: j },
    { side: 1, column: numbers.below(typesOf(right).length) },
  ]
  const kept = { left: which === 0 || which === 2, right: which === 1 || which === 2 }
  const projection = Object.fromEntries(
    picks.map(({ side, column }, at) => {
      const { schema } = (side === 0 ? left : right).node
      const missing = side === 0 ? kept.right : kept.left
      const type = schema.types[column]
      const shown = missing ? nullable(type) : type
      return [nameOfColumn(at), { node: { ...columnNode(schema.names[column], shown), side } }]
    }),
  )
  const make = [leftJoin, rightJoin, outerJoin, join][which]
  return {
    node: make(left.node, right.node, keys, projection),
    proper: left.proper && right.proper,
    define: (contents) => ({
      rows: outerJoined(contents[left.at], contents[right.at], keys, kept, (mine: Row | null, theirs: Row | null) =>
        Object.fromEntries(
          picks.map(({ side, column }, at) => [nameOfColumn(at), (side === 0 ? mine : theirs)?.[nameOfColumn(column)] ?? null]),
        ),
      ),
      errors: 0,
    }),
  }
}

const topFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const order = typesOf(source).findIndex(({ kind, nullable }) => !nullable && kind !== 'decimal')
  if (order < 0) return null
  const keyColumns = typesOf(source).flatMap(({ kind }, column) => (kind === 'int32' || kind === 'text' ? [nameOfColumn(column)] : []))
  const keys = numbers.below(2) === 0 ? [] : keyColumns.slice(0, 1)
  const [k, descending] = [1 + numbers.below(3), numbers.below(2) === 1]
  const { schema } = source.node
  // biome-ignore lint/suspicious/noExplicitAny: an expression of a kind that is only known at run time
  const x = new Expression(columnNode(schema.names[order], schema.types[order])) as any
  const name = nameOfColumn(order)
  const compare = (a: Row, b: Row): number => (descending ? -1 : 1) * compareDecoded(schema.types[order], a[name], b[name], false)
  return {
    node: topK(source.node, keys, k, [descending ? x.desc() : x.asc()], { ties: true }),
    proper: true,
    define: (contents) => ({ rows: topRows(contents[source.at], keys, k, compare, () => 0, { ties: true }), errors: 0 }),
  }
}

const validFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const at = typesOf(source).findIndex(({ kind, nullable }) => kind === 'timestamp' && !nullable)
  if (at < 0) return null
  const length = 1 + numbers.below(6)
  const { schema } = source.node
  return {
    node: validFor(source.node, { node: columnNode(schema.names[at], schema.types[at]) }, BigInt(length)),
    proper: source.proper,
    define: (contents, time) => {
      const rows: Multiset = new Map()
      for (const { row, count } of contents[source.at].values()) {
        const from = row[nameOfColumn(at)] as bigint
        if (from <= BigInt(time) && BigInt(time) < from + BigInt(length)) add(rows, row, count)
      }
      return { rows, errors: 0 }
    },
  }
}

export const relationalFamilies: Readonly<Record<string, Family>> = {
  semijoin: semijoinFamily,
  outer: outerFamily,
  top: topFamily,
  valid: validFamily,
}
