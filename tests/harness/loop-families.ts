/** Random programs: loops. */
import { aggregate } from '../../operators/aggregate.ts'
import { concat } from '../../operators/concat.ts'
import { distinct } from '../../operators/distinct.ts'
import { min } from '../../operators/expression/aggregate.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { columnNode } from '../../operators/expression/node.ts'
import { innerJoin } from '../../operators/inner-join.ts'
import { iterate } from '../../operators/iterate.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { reachability } from '../../operators/reachability.ts'
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { add, type Multiset, plain, textOf } from '../oracle/multiset.ts'
import { distinctRows } from '../oracle/threshold.ts'
import { columnsOf, type Family, pairsOf, type Source, sameType, TooLarge, typesOf } from './family.ts'

/** A loop that has not settled after so many iterations is left out. */
const MAX_ITERATIONS = 60

/** Types whose identity and key are one. */
function plainKey(type: ColumnType): boolean {
  return (type.kind === 'int32' || type.kind === 'text' || type.kind === 'int64') && !type.nullable
}

function rowsOf(content: Multiset, columns: readonly number[]): Multiset {
  const out: Multiset = new Map()
  for (const { row, count } of content.values())
    add(out, Object.fromEntries(columns.map((column, i) => [`c${i}`, row[`c${column}`]])), count)
  return out
}

/** Edges and roots of one type of node. */
function graphOf(numbers: Parameters<Family>[0], sources: readonly Source[]) {
  const edges = numbers.of(sources)
  const roots = numbers.of(sources)
  const pairs = pairsOf(edges, edges, (a, b) => sameType(a, b) && plainKey(a))
  if (pairs.length === 0) return null
  const [from, to] = numbers.of(pairs)
  const node = typesOf(roots).findIndex((type) => sameType(type, typesOf(edges)[from]))
  return node < 0 ? null : { edges, roots, from, to, node }
}

/** The fixed point of a step, from its first rows. */
function settled(first: Multiset, step: (rows: Multiset) => Multiset): Multiset {
  let rows = first
  for (let i = 0; i < MAX_ITERATIONS; i++) {
    const next = step(rows)
    if (textOf(plain(next)) === textOf(plain(rows))) return rows
    rows = next
  }
  throw new TooLarge()
}

function joined(edges: Multiset, rows: Multiset, make: (edge: Record<string, unknown>, row: Record<string, unknown>) => object): Multiset {
  const out: Multiset = new Map()
  for (const edge of edges.values())
    for (const one of rows.values())
      if (edge.row['c0'] === one.row['c0']) add(out, make(edge.row, one.row) as Record<string, unknown>, edge.count * one.count)
  return out
}

function sum(...parts: readonly Multiset[]): Multiset {
  const out: Multiset = new Map()
  for (const part of parts) for (const { row, count } of part.values()) add(out, row, count)
  return out
}

const reachFamily: Family = (numbers, sources) => {
  const graph = graphOf(numbers, sources)
  if (graph === null) return null
  const { edges, roots, from, to, node } = graph
  return {
    node: reachability(columnsOf(roots.node, [node]), columnsOf(edges.node, [from, to]), ['c0'], ['c1']),
    proper: true,
    define: (contents) => {
      const [start, all] = [rowsOf(contents[roots.at], [node]), rowsOf(contents[edges.at], [from, to])]
      return {
        rows: settled(start, (rows) =>
          distinctRows(
            sum(
              start,
              joined(all, rows, (edge) => ({ c0: edge['c1'] })),
            ),
          ),
        ),
        errors: 0,
      }
    },
  }
}

function picked(node: PlanNode, column: number, side: number) {
  return { node: { ...columnNode(node.schema.names[column], node.schema.types[column]), side } }
}

/** Each node with the least label that reaches it; with an inner loop that reaches on. */
const labelFamily: Family = (numbers, sources) => {
  const graph = graphOf(numbers, sources)
  if (graph === null) return null
  const { edges, roots, from, to, node } = graph
  const along = columnsOf(edges.node, [from, to])
  const start = columnsOf(roots.node, [node, node])
  const body = (labels: PlanNode, enter: (outer: PlanNode) => PlanNode): PlanNode => {
    const inside = enter(along)
    const moved = innerJoin(inside, labels, [0], [0], { c0: picked(inside, 1, 0), c1: picked(labels, 1, 1) })
    const both = concat([enter(start), moved])
    const least = min(new Expression(columnNode('c1', both.schema.types[1])) as never)
    return aggregate(both, ['c0'], { c1: least.spec })
  }
  return {
    node: iterate(distinct(start), body),
    proper: true,
    define: (contents) => {
      const [first, all] = [rowsOf(contents[roots.at], [node, node]), rowsOf(contents[edges.at], [from, to])]
      for (const { count } of [...first.values(), ...all.values()]) if (count < 0) throw new TooLarge()
      return {
        rows: settled(distinctRows(first), (labels) => {
          const least = new Map<unknown, unknown>()
          const both = sum(
            first,
            joined(all, labels, (edge, label) => ({ c0: edge['c1'], c1: label['c1'] })),
          )
          for (const { row } of both.values()) {
            const [key, label] = [row['c0'], row['c1']]
            if (!least.has(key) || before(label, least.get(key))) least.set(key, label)
          }
          const out: Multiset = new Map()
          for (const [key, label] of least) add(out, { c0: key, c1: label }, 1)
          return out
        }),
        errors: 0,
      }
    },
  }
}

/** By code points. */
function before(a: unknown, b: unknown): boolean {
  if (typeof a !== 'string') return (a as number) < (b as number)
  const [x, y] = [[...a], [...(b as string)]].map((text) =>
    text.map((c) => (c.codePointAt(0) as number).toString(16).padStart(6, '0')).join(''),
  )
  return x < y
}

export const loopFamilies: Readonly<Record<string, Family>> = { reach: reachFamily, label: labelFamily }
