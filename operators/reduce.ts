/**
 * reduce: any rows for each group of rows with equal keys, by a user's function.
 *
 * Computes: the key's columns and the columns of each row of fn(rows, key), where rows are the different rows of the group with their
 * multiplicities, in no order. A group at which fn throws, or one of whose rows does not fit the columns, is an error instead.
 * State: an arrangement of the rows (shared), and the rows shown for each key.
 * Times: total order; each key that changed is computed once a time.
 * Cost: for each key that changed, one object a row of its group, and the call.
 * Source: differential dataflow's reduce.
 *
 * @example
 *   reduce(orders, ['city'], { most: int32 }, (rows) => [{ most: Math.max(...rows.map(({ row }) => row.cents)) }])
 */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import type { Dictionary } from '../runtime/data/dictionary.ts'
import { type RowCodec, rowCodec } from '../runtime/data/row-codec.ts'
import type { Change, Row } from '../runtime/data/row-kernels.ts'
import { type Columns, Schema } from '../runtime/data/schema.ts'
import { streamOf } from '../runtime/graph/stream.ts'
import type { Builder } from './builder.ts'
import { CONSTANT_KEY, withConstantKey, withoutConstantKey } from './constant-key.ts'
import { checksDeterminism, NOT_DETERMINISTIC } from './determinism.ts'
import { thrownText } from './error-outlet.ts'
import { GeneralReduceOperator } from './general-reduce.ts'
import { GroupOperator } from './group-operator.ts'
import type { GroupRule } from './group-rule.ts'
import { type Built, errorsOf, type PlanNode } from './plan.ts'
import { columnsAt, joinedColumns, positionsOf } from './plan-columns.ts'
import { addAll } from './row-function.ts'
import { checkFunction } from './user-function.ts'

/** The different rows of a group with their multiplicities, and the group's key, to the rows that stand for it. */
export type Reduce = (rows: readonly Change[], key: Row) => Iterable<object>

/** @throws MillraceError UNKNOWN_COLUMN, DUPLICATE_NAME if a column has a key's name */
export function reduce(input: PlanNode, keyColumns: readonly string[], columns: Columns, fn: Reduce, origin = ''): PlanNode {
  checkFunction(fn)
  if (keyColumns.length === 0) {
    return withoutConstantKey(reduce(withConstantKey(input), [CONSTANT_KEY], columns, withoutConstant(fn), origin), origin)
  }
  const positions = positionsOf(input, keyColumns)
  const schema = new Schema(joinedColumns(columnsAt(input, positions), columns))
  return {
    kind: 'reduce',
    inputs: [input],
    schema,
    parameters: { keyColumns, columns, fn },
    origin,
    depth: input.depth,
    lookups: [{ node: input, columns: positions }],
    build: (builder: Builder): Built => {
      const { dataflow } = builder
      const rule = new UserRule(input.schema, positions, new Schema(columns), fn, dataflow.dictionary, checksDeterminism(dataflow))
      const source = builder.of(input)
      const { region, depth } = source.rows
      if (region !== null) {
        const operator = new GeneralReduceOperator(builder.generalArrange(input, positions), 'reduce', schema, rule, origin)
        return { rows: streamOf(operator, schema, region, depth), errors: errorsOf([source], operator.errors?.stream) }
      }
      const operator = new GroupOperator(builder.arrange(input, positions), 'reduce', schema, rule, origin)
      return { rows: streamOf(operator, schema), errors: errorsOf([source], operator.errors?.stream) }
    },
  }
}

function withoutConstant(fn: Reduce): Reduce {
  return (rows) => {
    const plain = rows.map(({ row, diff }) => {
      const { [CONSTANT_KEY]: _, ...rest } = row
      return { row: rest, diff }
    })
    return fn(plain, {})
  }
}

class UserRule implements GroupRule {
  readonly canFail = true
  readonly skips = null
  private readonly reader: RowCodec
  private readonly keyNames: readonly string[]
  private readonly writer: RowCodec
  private readonly fn: Reduce
  private readonly dictionary: Dictionary
  private readonly twice: boolean
  private readonly results: Batch
  private readonly again: Batch

  constructor(input: Schema, keys: readonly number[], columns: Schema, fn: Reduce, dictionary: Dictionary, twice: boolean) {
    this.reader = rowCodec(input)
    this.keyNames = keys.map((column) => input.names[column])
    this.writer = rowCodec(columns)
    this.fn = fn
    this.dictionary = dictionary
    this.twice = twice
    const pool = new BatchPool(columns.widths)
    this.results = pool.take(0, 16)
    this.again = pool.take(0, 16)
  }

  compute(group: Batch, out: Batch): string | null {
    const { results, again } = this
    const reason = this.run(group, results, false)
    if (this.twice && (this.run(group, again, true) !== reason || !sameRows(results, again))) return NOT_DETERMINISTIC
    if (reason !== null) return reason
    const at = out.n
    out.reserve(at + results.n)
    for (let c = 0; c < results.columns.length; c++) {
      const width = results.widths[c]
      for (let j = 0; j < results.n * width; j++) out.columns[c + 1][at * width + j] = results.columns[c][j]
    }
    for (let i = 0; i < results.n; i++) out.differences[at + i] = 1
    out.n = at + results.n
    return null
  }

  /** Runs the function once, with the rows in the opposite order if asked; its rows are in `into`. */
  private run(group: Batch, into: Batch, reversed: boolean): string | null {
    into.n = 0
    const rows = this.reader.readRows(group, 0, group.n, this.dictionary)
    if (reversed) rows.reverse()
    const [{ row: first }] = rows
    const key = Object.fromEntries(this.keyNames.map((name) => [name, first[name]]))
    const produced: object[] = []
    try {
      addAll(this.fn(rows, key), produced)
    } catch (thrown) {
      return thrownText(thrown)
    }
    into.reserve(produced.length)
    try {
      this.writer.writeRows(produced, 0, produced.length, into, 1, this.dictionary)
    } catch (error) {
      return `the function gave a row that does not fit: ${thrownText(error)}`
    }
    return null
  }

  isFull(): boolean {
    return false
  }
}

/** Whether two batches have the same rows, in any order. */
function sameRows(a: Batch, b: Batch): boolean {
  if (a.n !== b.n) return false
  return rowWords(a).join(';') === rowWords(b).join(';')
}

function rowWords(batch: Batch): string[] {
  return Array.from({ length: batch.n }, (_, i) =>
    batch.columns.map((column, c) => column.subarray(i * batch.widths[c], (i + 1) * batch.widths[c]).join()).join(':'),
  ).sort()
}
