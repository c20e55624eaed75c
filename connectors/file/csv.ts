/**
 * Decodes change logs of CSV (RFC 4180): the first line of each file names the columns, in any order, and an optional
 * column `op` gives the operation (empty: the default one).
 *
 * Follow such a file with `header: true` and `keepCarriageReturns: true`, or give the decoder its `header`.
 *
 * A quoted field of type text, json or array may contain line ends. While one is open its lines wait, and `resume`
 * stays before them. If it turns out malformed, or grows beyond the bounds below, only its first line is bad and
 * reading goes on with the second: a stray quote does not swallow what follows.
 */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { MillraceError } from '../../runtime/error.ts'
import { BadValue, bad } from '../../runtime/text/bad-value.ts'
import { ChangeShape, type DecodedBatch, type DecodedRow, type DecodeOptions, type LineDecoder, type Operation } from './change-row.ts'
import { type CsvDialect, type CsvField, readRecord } from './csv-record.ts'
import { csvValue } from './csv-value.ts'
import { type BadLine, excerptOf, type FilePosition, type LineBatch, type LinePosition, mergeBad } from './position.ts'

export interface CsvOptions extends DecodeOptions {
  /** One character. Default ','. */
  readonly delimiter?: string
  /** The columns of files that have no header line. */
  readonly header?: readonly string[]
}

/** Bounds of a record over several lines. */
const MAXIMUM_RECORD_LINES = 1000
const MAXIMUM_RECORD_LENGTH = 1 << 20

interface Line {
  readonly text: string
  readonly position: LinePosition
}

/** Where a field of a record goes: the index of a column, or the operation. */
type Target = number | 'operation'

/** Throws `MillraceError` if the options contradict each other. */
export function csvDecoder(options: CsvOptions): LineDecoder {
  return new CsvDecoder(options)
}

class CsvDecoder implements LineDecoder {
  private readonly shape: ChangeShape
  private readonly types: readonly ColumnType[]
  private readonly fixedHeader: string | null
  private readonly dialect: CsvDialect
  private readonly headerDialect: CsvDialect
  private generation = -1
  private header: string | null = null
  private targets: readonly Target[] = []
  /** By column: its field, -1 if the file has none. */
  private fieldOf: readonly number[] = []
  /** Why the current file's lines cannot be decoded; null if they can. */
  private headerProblem: string | null = null
  /** Lines of a record that is not complete. */
  private open: Line[] = []

  constructor(options: CsvOptions) {
    this.shape = new ChangeShape(options)
    this.types = this.shape.names.map((name) => this.shape.columns[name])
    const delimiter = options.delimiter ?? ','
    if (delimiter.length !== 1 || delimiter === '"' || delimiter === '\n' || delimiter === '\r') {
      throw new MillraceError('CONFIG', `the CSV delimiter ${JSON.stringify(delimiter)} is not one character`)
    }
    this.dialect = { delimiter, mayWrap: (field) => this.mayWrap(field) }
    this.headerDialect = { delimiter, mayWrap: () => false }
    this.fixedHeader = options.header === undefined ? null : options.header.map(quoted).join(delimiter)
  }

  decode(batch: LineBatch): DecodedBatch {
    const rows: DecodedRow[] = []
    const badLines: BadLine[] = []
    if (batch.generation !== this.generation) this.startFile(batch, rows, badLines)
    const header = this.fixedHeader ?? batch.header
    if (header !== null && header !== this.header) this.readHeader(header, batch, badLines)
    const lines: Line[] = [...this.open]
    const { file, generation, lineNumbers, offsets } = batch
    for (let i = 0; i < batch.lines.length; i++) {
      lines.push({ text: batch.lines[i], position: { file, generation, line: lineNumbers[i], offset: offsets[i] } })
    }
    this.records(lines, rows, badLines)
    if (batch.end.generation !== generation) this.endFile(rows, badLines)
    return { rows, bad: mergeBad(batch.bad, badLines), resume: this.resume(batch.end) }
  }

  private startFile(batch: LineBatch, rows: DecodedRow[], badLines: BadLine[]): void {
    this.endFile(rows, badLines)
    this.generation = batch.generation
    this.header = null
    this.headerProblem = 'the file has no header line that could be read'
  }

  /** A record that the file left open will not be completed. */
  private endFile(rows: DecodedRow[], badLines: BadLine[]): void {
    while (this.open.length > 0) {
      const [first, ...rest] = this.open
      badLines.push(badLine(first, 'a quoted field is still open at the end of the file'))
      this.open = []
      this.records(rest, rows, badLines)
    }
  }

  private readHeader(header: string, batch: LineBatch, badLines: BadLine[]): void {
    this.header = header
    const { file, generation } = batch
    const line: Line = { text: withoutCarriageReturn(header), position: { file, generation, line: 1, offset: 0 } }
    try {
      this.targets = this.targetsOf((readRecord(line.text, this.headerDialect) ?? []).map((field) => field.text))
      this.fieldOf = this.types.map((_, i) => this.targets.indexOf(i))
      this.headerProblem = null
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      this.headerProblem = `the header (line 1) is wrong: ${error.message}`
      badLines.push(badLine(line, this.headerProblem))
    }
  }

  private targetsOf(names: readonly string[]): Target[] {
    const { shape } = this
    const targets = names.map((name): Target => {
      const index = shape.indexes.get(name)
      return index ?? (name === shape.operationField ? 'operation' : bad(shape.unknownColumn(name)))
    })
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined) bad(`column "${twice}" is given twice`)
    for (let i = 0; i < shape.names.length; i++) {
      if (!targets.includes(i) && !this.types[i].nullable) bad(`column "${shape.names[i]}" is missing`)
    }
    return targets
  }

  private mayWrap(field: number): boolean {
    const target = this.targets[field]
    if (typeof target !== 'number') return false
    const { kind } = this.types[target]
    return kind === 'text' || kind === 'json' || kind === 'array'
  }

  /** Decodes the records of `lines`; the last one is left in `open` if it is not complete. */
  private records(lines: readonly Line[], rows: DecodedRow[], badLines: BadLine[]): void {
    this.open = []
    for (let i = 0; i < lines.length; ) {
      try {
        const taken = this.record(lines, i, rows)
        if (taken === 0) return
        i += taken
      } catch (error) {
        if (!(error instanceof BadValue)) throw error
        badLines.push(badLine(lines[i], error.message))
        i++
      }
    }
  }

  /** Decodes the record that starts at line `i`; returns its number of lines, 0 if it is not complete. */
  private record(lines: readonly Line[], i: number, rows: DecodedRow[]): number {
    if (this.headerProblem !== null) bad(this.headerProblem)
    const { line } = lines[i].position
    let text = lines[i].text
    if (withoutCarriageReturn(text) === '') return 1
    let mayBeComplete = true
    for (let count = 1; ; count++) {
      const fields = mayBeComplete ? readRecord(withoutCarriageReturn(text), this.dialect) : null
      if (fields !== null) {
        rows.push(this.row(fields, lines[i].position))
        return count
      }
      if (count >= MAXIMUM_RECORD_LINES || text.length > MAXIMUM_RECORD_LENGTH) {
        bad(`a quoted field is still open after ${count} lines`)
      }
      if (i + count === lines.length) {
        this.open = lines.slice(i)
        return 0
      }
      const next = lines[i + count]
      if (next.position.line !== line + count) bad('a quoted field goes on into a line that cannot be read')
      text += `\n${next.text}`
      // Only a line with a quote can close the field: the others need no look at the whole record.
      mayBeComplete = next.text.includes('"')
    }
  }

  private row(fields: readonly CsvField[], position: LinePosition): DecodedRow {
    const { shape, targets } = this
    if (fields.length !== targets.length) bad(`the line has ${fields.length} fields, the header ${targets.length}`)
    let operation: Operation = shape.defaultOperation
    const at = targets.indexOf('operation')
    const word = at === -1 ? '' : fields[at].text
    if (word !== '') operation = shape.operation(word) ?? bad(shape.unknownOperation(word))
    const row: Record<string, unknown> = {}
    for (let i = 0; i < shape.names.length; i++) {
      const field = this.fieldOf[i]
      if (operation === 'delete' && !shape.inKey[i] && (field === -1 || fields[field].text === '')) continue
      row[shape.names[i]] = field === -1 ? null : this.value(fields[field], i)
    }
    return { row, operation, position }
  }

  private value(field: CsvField, column: number): unknown {
    try {
      return csvValue(field, this.types[column])
    } catch (error) {
      if (error instanceof BadValue) error.message = `column "${this.shape.names[column]}": ${error.message}`
      throw error
    }
  }

  /** Before the lines that wait for the rest of their record: they are of the file that `end` is in, since the end of a file ends them. */
  private resume(end: FilePosition): FilePosition {
    if (this.open.length === 0) return end
    const { line, offset } = this.open[0].position
    return { ...end, line, offset, tailBytes: 0, tailHash: 0 }
  }
}

function withoutCarriageReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function badLine({ text, position }: Line, message: string): BadLine {
  return { position, excerpt: excerptOf(withoutCarriageReturn(text)), message }
}
