/** The handles by which an embedded job is given rows. */
import type { InputOperator } from '../operators/input.ts'
import type {
  InputDefinition,
  InputDefinitions,
  InputRow,
  KeyedTableDefinition,
  StreamDefinition,
  TableDefinition,
} from '../operators/input-definition.ts'
import type { KeyedInputOperator } from '../operators/upsert.ts'
import type { Columns, RowOf } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'

/** What handles need of their app. */
export interface InputHost {
  /** @throws MillraceError CLOSED */
  checkOpen(): void
  /** An operator threw: state can no longer be trusted. Returns what to throw. */
  fail(error: unknown): unknown
}

/** Values by column: typed arrays or plain arrays, all of one length. See `RowCodec.writeColumns` for what each type takes. */
export type ColumnValues<R> = { readonly [N in keyof R]: ArrayLike<unknown> }

/** A source's row that could not be decoded. */
export interface Rejected {
  /** The source's name: a file, a topic. */
  readonly source: string
  /** Where in the source: a line, an offset. */
  readonly position: string
  /** The beginning of the row as it came. */
  readonly excerpt: string
  readonly message: string
}

/** Errors of a user's rows: nothing was taken, and the app goes on. */
const ROW_ERRORS = new Set(['BAD_ROW', 'UNKNOWN_COLUMN', 'COLUMN_TYPE'])

abstract class Input {
  protected readonly host: InputHost
  private readonly name: string
  private readonly rejectedRows: InputOperator

  constructor(host: InputHost, name: string, rejected: InputOperator) {
    this.host = host
    this.name = name
    this.rejectedRows = rejected
  }

  /** Puts a row that could not be decoded into the error collection of every output that reads this input. */
  reject(row: Rejected): void {
    this.changeRejected(row, 1)
  }

  /** Takes a rejected row back, with the same content as it was rejected with. */
  unreject(row: Rejected): void {
    this.changeRejected(row, -1)
  }

  private changeRejected({ source, position, excerpt, message }: Rejected, difference: number): void {
    this.host.checkOpen()
    const row = { operator: 'input', origin: this.name, row: wellFormed(excerpt), message: wellFormed(message), source, position }
    this.take(() => this.rejectedRows.changeRows([row], difference))
  }

  protected take(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw error instanceof MillraceError && ROW_ERRORS.has(error.code) ? error : this.host.fail(error)
    }
  }
}

const one: object[] = [{}]

/** The input of a stream: rows are only added. All rows of a call are taken, or none when it throws BAD_ROW. */
export class StreamInput<R extends object> extends Input {
  protected readonly operator: InputOperator

  constructor(host: InputHost, name: string, operator: InputOperator, rejected: InputOperator) {
    super(host, name, rejected)
    this.operator = operator
  }

  insert(row: R): void {
    one[0] = row
    this.change(one, 1)
  }

  insertMany(rows: readonly R[]): void {
    this.change(rows, 1)
  }

  /** Rows as columns, all of one length. */
  insertColumns(columns: ColumnValues<R>): void {
    this.changeColumns(columns, lengthOf(columns), 1)
  }

  protected change(rows: readonly object[], difference: number): void {
    this.host.checkOpen()
    try {
      this.operator.changeRows(rows, difference)
    } catch (error) {
      throw error instanceof MillraceError && ROW_ERRORS.has(error.code) ? error : this.host.fail(error)
    }
  }

  protected changeColumns(columns: ColumnValues<R>, n: number, differences: number | ArrayLike<number>): void {
    this.host.checkOpen()
    this.take(() => this.operator.changeColumns(columns as Record<string, ArrayLike<unknown>>, n, differences))
  }
}

/** The input of a table without a key: a multiset of rows. */
export class TableInput<R extends object> extends StreamInput<R> {
  remove(row: R): void {
    one[0] = row
    this.change(one, -1)
  }

  removeMany(rows: readonly R[]): void {
    this.change(rows, -1)
  }

  /** Rows as columns. `differences` says by how much each row's multiplicity changes; 1 unless given. */
  override insertColumns(columns: ColumnValues<R>, differences: number | ArrayLike<number> = 1): void {
    this.changeColumns(columns, lengthOf(columns), differences)
  }

  removeColumns(columns: ColumnValues<R>): void {
    this.changeColumns(columns, lengthOf(columns), -1)
  }
}

/** The input of a table with a key: one row a key. Of several commands for a key in one commit the last one counts. */
export class KeyedInput<R extends object, K extends keyof R> extends Input {
  private readonly operator: KeyedInputOperator
  private readonly key: readonly string[]

  constructor(host: InputHost, name: string, operator: KeyedInputOperator, rejected: InputOperator, key: readonly string[]) {
    super(host, name, rejected)
    this.operator = operator
    this.key = key
  }

  /** Inserts the row, or puts it in the place of the row that has its key. */
  upsert(row: R): void {
    this.host.checkOpen()
    this.take(() => this.operator.upsertRows([row]))
  }

  upsertMany(rows: readonly R[]): void {
    this.host.checkOpen()
    this.take(() => this.operator.upsertRows(rows))
  }

  upsertColumns(columns: ColumnValues<R>): void {
    this.host.checkOpen()
    this.take(() => this.operator.upsertColumns(columns as Record<string, ArrayLike<unknown>>, lengthOf(columns)))
  }

  /** Removes the row of a key; nothing happens if there is none. */
  delete(key: Pick<R, K>): void {
    this.host.checkOpen()
    this.take(() => this.operator.deleteKey(key as Record<string, unknown>, this.key, this.operator.dataflow.dictionary))
  }

  deleteMany(keys: readonly Pick<R, K>[]): void {
    for (const key of keys) this.delete(key)
  }
}

function lengthOf(columns: Readonly<Record<string, ArrayLike<unknown>>>): number {
  for (const name in columns) return columns[name].length
  return 0
}

type InputOf<D> =
  D extends KeyedTableDefinition<infer C, infer K>
    ? KeyedInput<RowOf<C>, K & keyof RowOf<C>>
    : D extends TableDefinition<Columns>
      ? TableInput<InputRow<D>>
      : D extends StreamDefinition<Columns>
        ? StreamInput<InputRow<D>>
        : never

/** The handles of a job's inputs. */
export type InputsOf<I extends InputDefinitions> = { readonly [N in keyof I]: InputOf<I[N]> }

export function inputHandle(
  host: InputHost,
  name: string,
  definition: InputDefinition,
  operator: InputOperator | KeyedInputOperator,
  rejected: InputOperator,
): Input {
  if (definition.kind === 'keyed table') return new KeyedInput(host, name, operator as KeyedInputOperator, rejected, definition.key)
  return definition.kind === 'table' ? new TableInput(host, name, operator, rejected) : new StreamInput(host, name, operator, rejected)
}

/** Text with lone surrogates replaced, which texts may not have. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}
