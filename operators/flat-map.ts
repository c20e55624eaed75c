/**
 * flatMap: any number of rows a row, by a user's function.
 *
 * Computes: the rows of fn(row), each with the row's multiplicity. If the function throws or one of its rows does not fit the columns,
 * the row becomes an error and nothing of it comes out.
 * State: none; the function must give the same for the same row, since a removal calls it again.
 * Times: each row keeps its time; inside loops too.
 * Cost: as `map`, a row out.
 * Source: LINQ's SelectMany, as in Naiad.
 *
 * @example
 *   flatMap(posts, { word: text }, (p) => p.body.split(' ').map((word) => ({ word })))
 */

import type { Row } from '../runtime/data/row-kernels.ts'
import type { Columns, RowOf } from '../runtime/data/schema.ts'
import { Schema } from '../runtime/data/schema.ts'
import type { PlanNode } from './plan.ts'
import { addAll, rowFunction } from './row-function.ts'

export function flatMap<C extends Columns>(input: PlanNode, columns: C, fn: (row: Row) => Iterable<RowOf<C>>, origin = ''): PlanNode {
  return rowFunction('flatMap', input, new Schema(columns), (row, out) => addAll(fn(row), out), fn, origin)
}
