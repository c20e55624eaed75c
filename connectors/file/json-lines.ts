/**
 * Decodes change logs of JSON lines: an object a line, its fields the columns, and optionally the operation.
 *
 * ```
 * {"op":"upsert","accountId":1,"ownerId":7}        keyed table; upsert is the default
 * {"op":"delete","accountId":1}                    the key is enough
 * {"op":"remove","accountId":1,"at":"2026-01-31T12:30:00Z"}     plain collection; insert is the default
 * ```
 *
 * Missing columns are null where the type allows it. A column given twice, one that is unknown, a value of another
 * type or out of range makes the line bad. Lines of white space are skipped.
 */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { BadValue, bad } from '../../runtime/text/bad-value.ts'
import { ChangeShape, type DecodedBatch, type DecodedRow, type DecodeOptions, type LineDecoder, type Operation } from './change-row.ts'
import { JsonScanner } from './json-scanner.ts'
import { readValue } from './json-value.ts'
import { type BadLine, excerptOf, type LineBatch, mergeBad } from './position.ts'

/** Throws `MillraceError` if the options contradict each other. */
export function jsonLinesDecoder(options: DecodeOptions): LineDecoder {
  return new JsonLinesDecoder(new ChangeShape(options))
}

class JsonLinesDecoder implements LineDecoder {
  private readonly shape: ChangeShape
  private readonly types: readonly ColumnType[]
  private readonly scanner = new JsonScanner()
  private readonly values: unknown[]
  /** By column: the number of the line that gave it last. */
  private readonly given: Float64Array
  private serial = 0
  private operation: Operation

  constructor(shape: ChangeShape) {
    this.shape = shape
    this.types = shape.names.map((name) => shape.columns[name])
    this.values = new Array(this.types.length).fill(null)
    this.given = new Float64Array(this.types.length)
    this.operation = shape.defaultOperation
  }

  decode(batch: LineBatch): DecodedBatch {
    const { file, generation, lines, lineNumbers, offsets } = batch
    const rows: DecodedRow[] = []
    const badLines: BadLine[] = []
    for (let i = 0; i < lines.length; i++) {
      const position = { file, generation, line: lineNumbers[i], offset: offsets[i] }
      try {
        const row = this.line(lines[i])
        if (row !== null) rows.push({ row, operation: this.operation, position })
      } catch (error) {
        if (!(error instanceof BadValue)) throw error
        badLines.push({ position, excerpt: excerptOf(lines[i]), message: error.message })
      }
    }
    return { rows, bad: mergeBad(batch.bad, badLines), resume: batch.end }
  }

  private line(text: string): Record<string, unknown> | null {
    const { scanner } = this
    scanner.reset(text)
    if (scanner.peek() === '') return null
    this.serial++
    this.operation = this.shape.defaultOperation
    if (scanner.peek() !== '{') {
      scanner.source()
      bad('the line is not a JSON object')
    }
    scanner.expect('{')
    let hasOperation = false
    if (!scanner.take('}')) {
      do hasOperation = this.field(hasOperation)
      while (scanner.take(','))
      scanner.expect('}')
    }
    if (scanner.peek() !== '') scanner.malformed('the end of the line')
    return this.row()
  }

  /** Reads one field; whether the operation was given by now. */
  private field(hasOperation: boolean): boolean {
    const { scanner, shape } = this
    if (scanner.peek() !== '"') scanner.malformed('a field name in quotes')
    const name = scanner.string()
    scanner.expect(':')
    const index = shape.indexes.get(name)
    if (index === undefined) {
      if (name !== shape.operationField) bad(shape.unknownColumn(name))
      if (hasOperation) bad(`"${name}" is given twice`)
      const word = scanner.peek() === '"' ? scanner.string() : scanner.source()
      this.operation = shape.operation(word) ?? bad(shape.unknownOperation(word))
      return true
    }
    if (this.given[index] === this.serial) bad(`column "${name}" is given twice`)
    try {
      this.values[index] = readValue(scanner, this.types[index])
    } catch (error) {
      if (error instanceof BadValue && !error.message.startsWith('malformed')) error.message = `column "${name}": ${error.message}`
      throw error
    }
    this.given[index] = this.serial
    return hasOperation
  }

  /** The row in the order of the columns, so that all rows have one hidden class. */
  private row(): Record<string, unknown> {
    const { names, inKey } = this.shape
    const row: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i++) {
      if (this.given[i] === this.serial) row[names[i]] = this.values[i]
      else if (this.operation === 'delete' && !inKey[i]) continue
      else if (this.types[i].nullable) row[names[i]] = null
      else bad(`column "${names[i]}" is missing`)
    }
    return row
  }
}
