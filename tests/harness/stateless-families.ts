/** Random programs: operators that look at one row at a time. */
import { concat } from '../../operators/concat.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { columnNode, literalNode } from '../../operators/expression/node.ts'
import { filter } from '../../operators/filter.ts'
import { filterRows } from '../../operators/filter-rows.ts'
import { flatMap } from '../../operators/flat-map.ts'
import { map } from '../../operators/map.ts'
import { negate } from '../../operators/negate.ts'
import { select } from '../../operators/select.ts'
import { type ColumnType, int32 } from '../../runtime/data/column-type.ts'
import { add, type Multiset, type Row, textOf } from '../oracle/multiset.ts'
import { concatenated, filtered, flatMapped, negated } from '../oracle/stateless.ts'
import {
  columnsOf,
  type Family,
  MAX_COLUMNS,
  type Made,
  type Numbers,
  nameOfColumn,
  pairsOf,
  type Source,
  sameType,
  typesOf,
} from './family.ts'
import { mixed } from './values.ts'

// biome-ignore lint/suspicious/noExplicitAny: an expression of a kind that is only known at run time
type Any = any

/** An expression over one column, and what it is. A definition that throws makes the row an error. */
interface Computed {
  readonly of: (value: Any) => Expression<Any, Any>
  readonly is: (value: Any) => unknown
}

const orNull =
  (fn: (value: Any) => unknown) =>
  (value: unknown): unknown =>
    value === null ? null : fn(value)

function inRange(value: number): number {
  if (value !== (value | 0)) throw new Error('out of range')
  return value
}

const isNull: Computed = { of: (x) => x.isNull(), is: (x) => x === null }

function computedOf(type: ColumnType): readonly Computed[] {
  switch (type.kind) {
    case 'int32':
      return [
        { of: (x) => x.modulo(3), is: orNull((x) => (x % 3 === 0 ? 0 : x % 3)) },
        { of: (x) => x.plus(1), is: orNull((x) => inRange(x + 1)) },
        {
          of: (x) => new Expression<number, 'int32'>(columnless(6)).divide(x),
          is: orNull((x) => {
            if (x === 0) throw new Error('division by zero')
            return Math.trunc(6 / x) + 0
          }),
        },
        { of: (x) => x.gt(1), is: orNull((x) => x > 1) },
        isNull,
      ]
    case 'text':
      return [
        { of: (x) => x.length(), is: orNull((x) => [...x].length) },
        { of: (x) => x.concat('!').slice(0, 3), is: orNull((x) => [...`${x}!`].slice(0, 3).join('')) },
        { of: (x) => x.eq('a'), is: orNull((x) => x === 'a') },
        isNull,
      ]
    case 'bool':
      return [{ of: (x) => x.not(), is: orNull((x) => !x) }, isNull]
    case 'int64':
      return [{ of: (x) => x.modulo(5n), is: orNull((x) => x % 5n) }, { of: (x) => x.lt(2n), is: orNull((x) => x < 2n) }, isNull]
    default:
      return [isNull]
  }
}

function columnless(value: number): Any {
  return literalNode(value, int32)
}

function expressionOf({ node }: Made, column: number): Expression<Any, Any> {
  return new Expression(columnNode(node.schema.names[column], node.schema.types[column]))
}

function chosen(numbers: Numbers, source: Source): { column: number; computed: Computed } {
  const column = numbers.below(typesOf(source).length)
  return { column, computed: numbers.of(computedOf(typesOf(source)[column])) }
}

/** Rows for which a definition has a result, by it; and how many have none. */
function eachRow(input: Multiset, fn: (row: Row) => Iterable<Row>): { rows: Multiset; errors: number } {
  const rows: Multiset = new Map()
  let errors = 0
  for (const { row, count } of input.values()) {
    try {
      for (const one of [...fn(row)]) add(rows, one, count)
    } catch {
      errors += count
    }
  }
  return { rows, errors }
}

const selectFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const width = 1 + numbers.below(MAX_COLUMNS - 1)
  const columns = Array.from({ length: width }, () => numbers.below(typesOf(source).length))
  const { column, computed } = chosen(numbers, source)
  const picked = columns.map((at, i) => [nameOfColumn(i), expressionOf(source, at)] as const)
  const last = nameOfColumn(width)
  return {
    node: select(source.node, Object.fromEntries([...picked, [last, computed.of(expressionOf(source, column))]])),
    proper: source.proper,
    define: (contents) =>
      eachRow(contents[source.at], (row) => [
        {
          ...Object.fromEntries(columns.map((at, i) => [nameOfColumn(i), row[nameOfColumn(at)]])),
          [last]: computed.is(row[nameOfColumn(column)]),
        },
      ]),
  }
}

const filterFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const { column, computed } = chosen(numbers, source)
  const condition = computed.of(expressionOf(source, column))
  const isCondition = condition.type.kind === 'bool'
  const used = isCondition ? computed : isNull
  const negated = numbers.below(2) === 1
  const made = isCondition ? condition : isNull.of(expressionOf(source, column))
  return {
    node: filter(source.node, negated ? made.not() : made),
    proper: source.proper,
    define: (contents) =>
      eachRow(contents[source.at], (row) => {
        const value = used.is(row[nameOfColumn(column)])
        return value === !negated ? [row] : []
      }),
  }
}

const filterRowsFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const salt = numbers.below(100)
  const keep = (row: object): boolean => mixed(textOf(row) + salt) % 3 > 0
  return {
    node: filterRows(source.node, keep),
    proper: source.proper,
    define: (contents) => ({ rows: filtered(contents[source.at], keep), errors: 0 }),
  }
}

const mapFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const column = numbers.below(typesOf(source).length)
  const salt = numbers.below(100)
  const fn = (row: Row): { c0: unknown; c1: number } => {
    const number = mixed(textOf(row) + salt)
    if (number % 11 === 0) throw new Error('no such row')
    return { c0: row[nameOfColumn(column)], c1: number % 4 }
  }
  return {
    node: map(source.node, { c0: typesOf(source)[column], c1: int32 }, fn as Any),
    proper: source.proper,
    define: (contents) => eachRow(contents[source.at], (row) => [fn(row)]),
  }
}

const flatMapFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  const column = numbers.below(typesOf(source).length)
  const salt = numbers.below(100)
  const fn = (row: Row): Row[] =>
    Array.from({ length: mixed(textOf(row) + salt) % 3 }, (_, i) => ({ c0: row[nameOfColumn(column)], c1: i }))
  return {
    node: flatMap(source.node, { c0: typesOf(source)[column], c1: int32 }, fn as Any),
    proper: source.proper,
    define: (contents) => ({ rows: flatMapped(contents[source.at], fn), errors: 0 }),
  }
}

function renamed(content: Multiset, columns: readonly number[]): Multiset {
  return flatMapped(content, (row) => [Object.fromEntries(columns.map((column, i) => [nameOfColumn(i), row[nameOfColumn(column)]]))])
}

const concatFamily: Family = (numbers, sources) => {
  const left = numbers.of(sources)
  const right = numbers.of(sources)
  const pairs = pairsOf(left, right, sameType)
  if (pairs.length === 0) return null
  const used = Array.from({ length: 1 + numbers.below(2) }, () => numbers.of(pairs))
  const [mine, theirs] = [used.map(([i]) => i), used.map(([, j]) => j)]
  return {
    node: concat([columnsOf(left.node, mine), columnsOf(right.node, theirs)]),
    proper: left.proper && right.proper,
    define: (contents) => ({ rows: concatenated(renamed(contents[left.at], mine), renamed(contents[right.at], theirs)), errors: 0 }),
  }
}

const negateFamily: Family = (numbers, sources) => {
  const source = numbers.of(sources)
  return { node: negate(source.node), proper: false, define: (contents) => ({ rows: negated(contents[source.at]), errors: 0 }) }
}

export const statelessFamilies: Readonly<Record<string, Family>> = {
  select: selectFamily,
  filter: filterFamily,
  filterRows: filterRowsFamily,
  map: mapFamily,
  flatMap: flatMapFamily,
  concat: concatFamily,
  negate: negateFamily,
}
