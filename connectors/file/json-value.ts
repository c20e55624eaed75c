/** Values of all column types from JSON. */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { typeName } from '../../runtime/data/schema.ts'
import { bad, shown } from '../../runtime/text/bad-value.ts'
import { decodeBase64 } from '../../runtime/text/base64.ts'
import { parseDecimal, parseFloat64, parseInt32, parseInt64, parseMicroseconds } from '../../runtime/text/text-value.ts'
import { parseTimestamp } from '../../runtime/text/timestamp-text.ts'
import { checkJson, type JsonScanner, MAXIMUM_NESTING } from './json-scanner.ts'
import { detached } from './position.ts'

/** Reads the next value as one of `type`; throws `BadValue`. */
export function readValue(scanner: JsonScanner, type: ColumnType, depth = 0): unknown {
  const next = scanner.peek()
  // A json column that may be null has one null: that of the column.
  if (next === 'n' && (type.nullable || type.kind !== 'json') && scanner.takeWord('null')) {
    return type.nullable ? null : bad(`null in a column of type ${typeName(type)}`)
  }
  switch (type.kind) {
    case 'int32':
      return parseInt32(scanner.number() ?? mismatch(scanner, type))
    case 'int64':
      return parseInt64(next === '"' ? scanner.string() : (scanner.number() ?? mismatch(scanner, type)))
    case 'float64':
      return parseFloat64(scanner.number() ?? mismatch(scanner, type))
    case 'decimal':
      return detached(parseDecimal(next === '"' ? scanner.string() : (scanner.number() ?? mismatch(scanner, type))))
    case 'timestamp':
      return next === '"' ? parseTimestamp(scanner.string()) : parseMicroseconds(scanner.number() ?? mismatch(scanner, type))
    case 'bool':
      return scanner.takeWord('true') || (scanner.takeWord('false') ? false : mismatch(scanner, type))
    case 'text':
      return next === '"' ? detached(scanner.string()) : mismatch(scanner, type)
    case 'bytes': {
      const text = next === '"' ? scanner.string() : mismatch(scanner, type)
      return decodeBase64(text) ?? bad(`${shown(JSON.stringify(text))} is not base64`)
    }
    case 'json':
      return readJson(scanner.source())
    case 'array':
      return next === '[' ? readArray(scanner, type.element as ColumnType, depth + 1) : mismatch(scanner, type)
  }
}

/** Any JSON value from its source. */
export function readJson(source: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(source)
  } catch (error) {
    return bad(`malformed JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  checkJson(value)
  return value
}

function readArray(scanner: JsonScanner, element: ColumnType, depth: number): unknown[] {
  if (depth > MAXIMUM_NESTING) bad(`arrays nested deeper than ${MAXIMUM_NESTING}`)
  scanner.expect('[')
  const values: unknown[] = []
  if (scanner.take(']')) return values
  do values.push(readValue(scanner, element, depth))
  while (scanner.take(','))
  scanner.expect(']')
  return values
}

function mismatch(scanner: JsonScanner, type: ColumnType): never {
  const start = scanner.at
  const source = scanner.source()
  scanner.at = start
  return bad(`${shown(source)} is not of type ${typeName(type)}`)
}
