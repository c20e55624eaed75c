/** What an operator family gives to random programs: a plan from any numbers, and its definition. */
import { columnNode } from '../../operators/expression/node.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { select } from '../../operators/select.ts'
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { typeName } from '../../runtime/data/schema.ts'
import type { Multiset } from '../oracle/multiset.ts'

/** A collection of a random program. */
export interface Made {
  readonly node: PlanNode
  /** Whether no multiplicity is negative at a complete time, if none of an input is. */
  readonly proper: boolean
  /** The rows, and how many errors the operator itself has, from the contents of the collections before it. */
  readonly define: (contents: readonly Multiset[], time: number) => Defined
}

export interface Defined {
  readonly rows: Multiset
  readonly errors: number
}

/** Numbers of an operator, read one after the other; 0 when there are no more. */
export class Numbers {
  private readonly numbers: readonly number[]
  private at = 0

  constructor(numbers: readonly number[]) {
    this.numbers = numbers
  }

  below(bound: number): number {
    return bound === 0 ? 0 : (this.numbers[this.at++] ?? 0) % bound
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
}

/** A collection and where it stands in the program. */
export interface Source extends Made {
  readonly at: number
}

/** null where the family can make nothing of these collections. */
export type Family = (numbers: Numbers, sources: readonly Source[]) => Made | null

export const MAX_COLUMNS = 4

export function typesOf({ node }: Made): readonly ColumnType[] {
  return node.schema.types
}

export function nameOfColumn(column: number): string {
  return `c${column}`
}

/** The columns of a node by position, named c0, c1, ... */
export function columnsOf(node: PlanNode, columns: readonly number[]): PlanNode {
  return select(
    node,
    Object.fromEntries(
      columns.map((column, i) => [nameOfColumn(i), { node: columnNode(node.schema.names[column], node.schema.types[column]) }]),
    ),
  )
}

/** Pairs of columns, one of each side, for which `fits`. */
export function pairsOf(left: Made, right: Made, fits: (a: ColumnType, b: ColumnType) => boolean): [number, number][] {
  return typesOf(left).flatMap((a, i) => typesOf(right).flatMap((b, j): [number, number][] => (fits(a, b) ? [[i, j]] : [])))
}

export function sameType(a: ColumnType, b: ColumnType): boolean {
  return typeName(a) === typeName(b)
}

/** Thrown by a definition where a content gets so large, or a loop so long, that it is no use to go on. */
export class TooLarge extends Error {}
