/** Values of all column types from CSV fields. */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { bad, shown } from '../../runtime/text/bad-value.ts'
import { decodeBase64 } from '../../runtime/text/base64.ts'
import { parseBool, parseDecimal, parseFloat64, parseInt32, parseInt64, parseMicroseconds } from '../../runtime/text/text-value.ts'
import { parseTimestamp } from '../../runtime/text/timestamp-text.ts'
import type { CsvField } from './csv-record.ts'
import { JsonScanner } from './json-scanner.ts'
import { readJson, readValue } from './json-value.ts'
import { detached } from './position.ts'

const WHOLE_NUMBER = /^-?\d+$/

/**
 * An empty field without quotes is null where the type allows it; with quotes it is the empty text. json and arrays are
 * written as JSON; a timestamp is ISO 8601, or whole microseconds. Throws `BadValue`.
 */
export function csvValue({ text, quoted }: CsvField, type: ColumnType): unknown {
  if (text === '' && !quoted && type.nullable) return null
  if (text === '' && type.kind !== 'text' && type.kind !== 'bytes') bad(`an empty field in a column of type ${typeName(type)}`)
  switch (type.kind) {
    case 'int32':
      return parseInt32(text)
    case 'int64':
      return parseInt64(text)
    case 'float64':
      return parseFloat64(text)
    case 'decimal':
      return detached(parseDecimal(text))
    case 'timestamp':
      return WHOLE_NUMBER.test(text) ? parseMicroseconds(text) : parseTimestamp(text)
    case 'bool':
      return parseBool(text)
    case 'text':
      return detached(text)
    case 'bytes':
      return decodeBase64(text) ?? bad(`${shown(JSON.stringify(text))} is not base64`)
    case 'json':
      return readJson(text)
    case 'array':
      return readArrayField(text, type)
  }
}

const scanner = new JsonScanner()

function readArrayField(text: string, type: ColumnType): unknown {
  scanner.reset(text)
  const value = readValue(scanner, type)
  if (scanner.peek() !== '') scanner.malformed('the end of the field')
  return value
}
