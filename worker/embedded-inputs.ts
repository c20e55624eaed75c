/** The handles by which an embedded job is given rows. */
import { unknownColumn } from '../operators/expression/proxy-row.ts'
import type { InputOperator } from '../operators/input.ts'
import {
  type InputDefinition,
  type InputDefinitions,
  type InputRow,
  KeyedTableDefinition,
  type StreamDefinition,
  type TableDefinition,
} from '../operators/input-definition.ts'
import type { RowChange } from '../operators/output.ts'
import type { KeyedInputOperator } from '../operators/upsert.ts'
import type { Columns, RowOf, Schema } from '../runtime/data/schema.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'

/** What handles need of their app. */
export interface InputHost {
  /** Whether mistakes are looked for that cost time to find. */
  readonly development: boolean
  /** @throws MillraceError CLOSED */
  checkOpen(): void
  /** An operator threw: state can no longer be trusted. Returns what to throw. */
  fail(error: unknown): unknown
}

/** Values by column: typed arrays or plain arrays, all of one length. See `RowCodec.writeColumns` for what each type takes. */
export type ColumnValues<R> = { readonly [N in keyof R]: ArrayLike<R[N]> | ([R[N]] extends [boolean | null] ? Uint8Array : never) }

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

export abstract class InputHandle {
  protected readonly host: InputHost
  protected readonly name: string
  /** null once the app is closed. */
  private rejectedRows: InputOperator | null

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

  /** The columns of its rows. */
  abstract get schema(): Schema

  /** Takes changes of rows as an output gives them. @throws MillraceError BAD_ROW for what the input cannot take */
  abstract applyChanges(changes: readonly RowChange<object>[]): void

  /** Lets go of the engine's memory. */
  release(): void {
    this.rejectedRows = null
  }

  private changeRejected(rejected: Rejected, difference: number): void {
    this.host.checkOpen()
    checkObject(rejected, 'a rejected row', '{ source, position, excerpt, message }')
    const { source, position, excerpt, message } = rejected
    for (const [name, value] of Object.entries({ source, position, excerpt, message })) {
      if (typeof value !== 'string') throw new MillraceError('BAD_ROW', `${name} of a rejected row is text, not ${shownValue(value)}`)
    }
    const row = {
      operator: 'input',
      origin: this.name,
      row: wellFormed(excerpt),
      message: wellFormed(message),
      source: wellFormed(source),
      position: wellFormed(position),
    }
    this.take(() => (this.rejectedRows as InputOperator).changeRows([row], difference))
  }

  /** The length of all columns. @throws MillraceError UNKNOWN_COLUMN, and BAD_ROW for a missing column or one of another length */
  protected lengthOf(columns: Readonly<Record<string, ArrayLike<unknown>>>): number {
    checkObject(columns, 'columns', '{ name: values, ... }')
    const { names } = this.schema
    let length = -1
    for (const name of Object.keys(columns)) {
      if (!names.includes(name)) throw unknownColumn(this.schema, this.name, name)
      const n = columns[name]?.length
      if (!Number.isInteger(n)) throw new MillraceError('BAD_ROW', `column ${JSON.stringify(name)} is no array of values`)
      if (length >= 0 && n !== length) {
        throw new MillraceError('BAD_ROW', `the columns have different lengths: ${JSON.stringify(name)} has ${n} rows, another ${length}`)
      }
      length = n
    }
    const missing = names.find((name) => columns[name] === undefined)
    if (missing !== undefined) throw new MillraceError('BAD_ROW', `column ${JSON.stringify(missing)} is missing`, 'Give all columns.')
    return length
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
export class StreamInput<R extends object> extends InputHandle {
  private operator: InputOperator | null

  constructor(host: InputHost, name: string, operator: InputOperator, rejected: InputOperator) {
    super(host, name, rejected)
    this.operator = operator
  }

  insert(row: R): void {
    one[0] = row
    this.change(one, 1)
  }

  insertMany(rows: readonly R[]): void {
    checkRows(rows, 'insertMany')
    this.change(rows, 1)
  }

  /** Rows as columns, all of one length. */
  insertColumns(columns: ColumnValues<R>): void {
    this.changeColumns(columns, this.lengthOf(columns), 1)
  }

  get schema(): Schema {
    this.host.checkOpen()
    return (this.operator as InputOperator).schema
  }

  applyChanges(changes: readonly RowChange<object>[]): void {
    if (changes.some(({ diff }) => diff < 0)) throw onlyAdded(this.name)
    for (const { row, diff } of changes) this.change([row], diff)
  }

  override release(): void {
    super.release()
    this.operator = null
  }

  protected change(rows: readonly object[], difference: number): void {
    this.host.checkOpen()
    if (this.host.development) checkColumns(rows, this.schema, this.name)
    try {
      ;(this.operator as InputOperator).changeRows(rows, difference)
    } catch (error) {
      throw error instanceof MillraceError && ROW_ERRORS.has(error.code) ? error : this.host.fail(error)
    }
  }

  protected changeColumns(columns: ColumnValues<R>, n: number, differences: number | ArrayLike<number>): void {
    this.host.checkOpen()
    this.take(() => (this.operator as InputOperator).changeColumns(columns, n, differences))
  }
}

/** The input of a table without a key: a multiset of rows. */
export class TableInput<R extends object> extends StreamInput<R> {
  override applyChanges(changes: readonly RowChange<object>[]): void {
    for (const { row, diff } of changes) this.change([row], diff)
  }

  remove(row: R): void {
    one[0] = row
    this.change(one, -1)
  }

  removeMany(rows: readonly R[]): void {
    checkRows(rows, 'removeMany')
    this.change(rows, -1)
  }

  /** Rows as columns. `differences` says by how much each row's multiplicity changes; 1 unless given. */
  override insertColumns(columns: ColumnValues<R>, differences: number | ArrayLike<number> = 1): void {
    this.changeColumns(columns, this.lengthOf(columns), differences)
  }

  removeColumns(columns: ColumnValues<R>): void {
    this.changeColumns(columns, this.lengthOf(columns), -1)
  }
}

/** The input of a table with a key: one row a key. Of several commands for a key in one commit the last one counts. */
export class KeyedInput<R extends object, K extends keyof R> extends InputHandle {
  private operator: KeyedInputOperator | null
  private readonly key: readonly string[]

  constructor(host: InputHost, name: string, operator: KeyedInputOperator, rejected: InputOperator, key: readonly string[]) {
    super(host, name, rejected)
    this.operator = operator
    this.key = key
  }

  /** Inserts the row, or puts it in the place of the row that has its key. */
  upsert(row: R): void {
    this.upsertMany([row])
  }

  /** All rows, in order; or none, when it throws BAD_ROW. */
  upsertMany(rows: readonly R[]): void {
    const operator = this.commands()
    checkRows(rows, 'upsertMany')
    if (this.host.development) checkColumns(rows, this.schema, this.name)
    this.take(() => operator.upsertRows(rows))
  }

  upsertColumns(columns: ColumnValues<R>): void {
    const operator = this.commands()
    const n = this.lengthOf(columns)
    this.take(() => operator.upsertColumns(columns, n))
  }

  /** Removes the row of a key; nothing happens if there is none. */
  delete(key: Pick<R, K>): void {
    this.deleteMany([key])
  }

  /** All keys, or none, when it throws BAD_ROW. */
  deleteMany(keys: readonly Pick<R, K>[]): void {
    const operator = this.commands()
    checkRows(keys, 'deleteMany')
    for (const key of keys) checkObject(key, `a key of ${this.name}`, `{ ${this.key.map((name) => `${name}: ...`).join(', ')} }`)
    this.take(() => operator.deleteKeys(keys as readonly Record<string, unknown>[], this.key, operator.dataflow.dictionary))
  }

  get schema(): Schema {
    return this.commands().schema
  }

  /** A key's last row stays; a key that only loses its row is deleted. */
  applyChanges(changes: readonly RowChange<object>[]): void {
    for (const { row, diff } of changes) if (diff < 0) this.delete(this.keyOf(row as R))
    this.upsertMany(changes.filter(({ diff }) => diff > 0).map(({ row }) => row as R))
  }

  override release(): void {
    super.release()
    this.operator = null
  }

  private keyOf(row: R): Pick<R, K> {
    return Object.fromEntries(this.key.map((name) => [name, row[name as keyof R]])) as Pick<R, K>
  }

  private commands(): KeyedInputOperator {
    this.host.checkOpen()
    return this.operator as KeyedInputOperator
  }
}

function onlyAdded(name: string): MillraceError {
  return new MillraceError('BAD_ROW', `rows are removed from ${name}, a stream, to which rows are only added`, 'Make it a table.')
}

function checkRows(rows: unknown, method: string): void {
  if (Array.isArray(rows)) return
  throw new MillraceError(
    'BAD_ROW',
    `${method} takes an array, not ${shownValue(rows)}`,
    'Write Array.from(...) around what can be iterated.',
  )
}

function checkObject(value: unknown, what: string, shape: string): void {
  if (typeof value === 'object' && value !== null) return
  throw new MillraceError('BAD_ROW', `${what} is an object, not ${shownValue(value)}`, `Give ${shape}.`)
}

/** In development: properties without a column, which are ignored otherwise. */
function checkColumns(rows: readonly object[], schema: Schema, input: string): void {
  for (const row of rows) {
    if (typeof row !== 'object' || row === null) continue
    for (const name of Object.keys(row)) if (!schema.names.includes(name)) throw unknownColumn(schema, input, name)
  }
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
export type InputsOf<I extends InputDefinitions> = {
  readonly [N in keyof I as I[N] extends { readonly kind: 'imported' } ? never : N]: InputOf<I[N]>
}

export function inputHandle(
  host: InputHost,
  name: string,
  definition: InputDefinition,
  operator: InputOperator | KeyedInputOperator,
  rejected: InputOperator,
): InputHandle {
  if (definition instanceof KeyedTableDefinition)
    return new KeyedInput(host, name, operator as KeyedInputOperator, rejected, definition.key)
  return definition.kind === 'table' ? new TableInput(host, name, operator, rejected) : new StreamInput(host, name, operator, rejected)
}

/** Text with lone surrogates replaced, which texts may not have. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}
