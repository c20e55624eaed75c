/**
 * An input of a dataflow on a thread. Its rows wait for the time that the next advance gives. What is no row of the input goes into
 * the error collection; the other rows of the same run are taken.
 */
import { rowText, thrownText } from '../../operators/error-outlet.ts'
import type { InputOperator } from '../../operators/input.ts'
import { type InputDefinition, KeyedTableDefinition } from '../../operators/input-definition.ts'
import type { BuiltInput } from '../../operators/input-node.ts'
import type { KeyedInputOperator } from '../../operators/upsert.ts'
import type { Columns } from '../../runtime/data/schema.ts'
import { shownValue } from '../../runtime/data/value-encoding.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { ChangeRun, RejectedRow, RowsOrigin } from '../../runtime/protocol/change-run.ts'

/** What a wrong row has as its code; anything else that is thrown is no fault of the row. */
const ROW_ERRORS = new Set(['BAD_ROW', 'UNKNOWN_COLUMN', 'COLUMN_TYPE'])
/** Of a rejected row this much is kept. */
const EXCERPT_CHARACTERS = 2000

type RowsRun = Exclude<ChangeRun, { readonly op: 'reject' }>

export class ThreadInput {
  private readonly name: string
  private readonly definition: InputDefinition
  private readonly input: InputOperator | KeyedInputOperator
  private readonly rejected: InputOperator
  /** Rows that wait for their time. */
  waiting = 0

  constructor(name: string, definition: InputDefinition, { input, rejected }: BuiltInput) {
    this.name = name
    this.definition = definition
    this.input = input
    this.rejected = rejected
  }

  /** Takes rows of a partition; throws only what is no fault of theirs. */
  feed(run: ChangeRun, partition: number): void {
    this.waiting += run.rows.length
    if (run.op === 'reject') {
      for (const row of run.rows) this.reject(row)
      return
    }
    const refused = this.refusalOf(run.op)
    if (refused !== null) {
      for (const [i, row] of run.rows.entries()) this.rejectRow(row, refused, run.origin, i)
      return
    }
    if (run.op === 'upsert' || run.op === 'delete') (this.input as KeyedInputOperator).from(partition)
    try {
      this.take(run.op, run.rows)
    } catch (error) {
      if (!isRowError(error)) throw error
      this.takeEach(run)
    }
  }

  /** What was fed need not wait: its time is known. */
  flushAt(time: number): void {
    this.input.flushAt(time)
    this.rejected.flushAt(time)
  }

  seal(time: number): void {
    this.waiting = 0
    this.input.seal(time)
    this.rejected.seal(time)
  }

  /** Of all rows or of none. */
  private take(op: RowsRun['op'], rows: readonly object[]): void {
    const { definition } = this
    if (op === 'insert' || op === 'remove') this.input.changeRows(rows, op === 'insert' ? 1 : -1)
    else if (op === 'upsert') (this.input as KeyedInputOperator).upsertRows(rows)
    else {
      const wrong = rows.find((row) => typeof row !== 'object' || row === null)
      if (wrong !== undefined) throw new MillraceError('BAD_ROW', `a key is an object, not ${shownValue(wrong)}`)
      const { key } = definition as KeyedTableDefinition<Columns, string>
      const operator = this.input as KeyedInputOperator
      operator.deleteKeys(rows as readonly Record<string, unknown>[], key, operator.dataflow.dictionary)
    }
  }

  private takeEach({ op, rows, origin }: RowsRun): void {
    for (const [i, row] of rows.entries()) {
      try {
        this.take(op, [row])
      } catch (error) {
        if (!isRowError(error)) throw error
        this.rejectRow(
          row,
          thrownText(error)
            .replace(' of row 0:', ':')
            .replace(/^row 0: /, ''),
          origin,
          i,
        )
      }
    }
  }

  /** Why the input takes no such change at all; null if it does. */
  private refusalOf(op: RowsRun['op']): string | null {
    const isKeyed = this.definition instanceof KeyedTableDefinition
    if (op === 'upsert' || op === 'delete') return isKeyed ? null : `${op} is for tables with a key, and ${this.name} has none`
    if (isKeyed) return `${op} is for inputs without a key, and ${this.name} has one: upsert and delete`
    return op === 'remove' && this.definition.kind === 'stream' ? `${this.name} is a stream, to which rows are only added` : null
  }

  private rejectRow(row: unknown, message: string, origin: RowsOrigin | undefined, i: number): void {
    const excerpt = typeof row === 'object' && row !== null ? rowText(row as Record<string, unknown>) : shownValue(row)
    if (origin === undefined) this.addError(excerpt, message, null, null)
    else this.addError(excerpt, message, textOf(origin.source), textOf(`${origin.before}${origin.first + i}${origin.after}`))
  }

  private reject({ source, position, excerpt, message }: RejectedRow): void {
    this.addError(textOf(excerpt), textOf(message), textOf(source), textOf(position))
  }

  private addError(row: string, message: string, source: string | null, position: string | null): void {
    this.rejected.changeRows([{ operator: 'input', origin: this.name, row, message: wellFormed(message), source, position }], 1)
  }
}

function isRowError(error: unknown): boolean {
  return error instanceof MillraceError && ROW_ERRORS.has(error.code)
}

function textOf(value: unknown): string {
  return wellFormed((typeof value === 'string' ? value : shownValue(value)).slice(0, EXCERPT_CHARACTERS))
}

/** Text with lone surrogates replaced, which texts may not have. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}
