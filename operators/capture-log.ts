/**
 * The portable form of a collection's changes: lines of JSON, which any process or a later version can read.
 *
 *     {"millrace":"capture","version":1,"columns":{"city":"text","cents":"int64"}}
 *     {"time":1700000000000000,"changes":[[1,"Rimini","950"],[-1,"Turin","70"]]}
 *     {"frontier":1700000000000001}
 *
 * The first line says what the columns are. A change is by how much a row's multiplicity changes, and the row's values as they are
 * inside an array column (`value-encoding.ts`). A frontier says that no change at a time below it follows.
 * Source: timely dataflow's capture and replay.
 */

import { type Schema, typeName } from '../runtime/data/schema.ts'
import { fromJson, toJson } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'
import type { RowChange, RowChanges } from './output.ts'

const FORMAT = 'capture'
const VERSION = 1

export type CapturedEvent = { readonly changes: RowChanges<object> } | { readonly frontier: number }

export function headerLine(schema: Schema): string {
  return JSON.stringify({ millrace: FORMAT, version: VERSION, columns: columnTypes(schema) })
}

export function changesLine(schema: Schema, { time, changes }: RowChanges<object>): string {
  const { names, types } = schema
  const rows = changes.map(({ row, diff }) => {
    const values = names.map((name, c) => toJson(types[c], (row as Readonly<Record<string, unknown>>)[name]))
    return `[${[diff, ...values].join()}]`
  })
  return `{"time":${time},"changes":[${rows.join()}]}`
}

export function frontierLine(frontier: number): string {
  return JSON.stringify({ frontier })
}

/**
 * The events of a log, for rows of this schema. Empty lines are skipped.
 * @throws MillraceError BAD_ROW for a line that is none of a log, COLUMN_TYPE if the log has other columns, BAD_TIME if times go back
 */
export function* readLog(lines: Iterable<string>, schema: Schema, name: string): Generator<CapturedEvent> {
  let number = 0
  let frontier = -1
  let started = false
  for (const line of lines) {
    number++
    if (line.trim() === '') continue
    const record = parse(line, `line ${number} of the log of ${name}`)
    if (!started) {
      checkHeader(record, schema, name)
      started = true
      continue
    }
    const time = 'frontier' in record ? record['frontier'] : record['time']
    if (!Number.isSafeInteger(time) || ('time' in record && !Array.isArray(record['changes']))) throw noLine(number, name, line)
    if ((time as number) < frontier) {
      throw new MillraceError(
        'BAD_TIME',
        `line ${number} of the log of ${name} is at time ${time}, behind ${frontier}`,
        'A log is replayed as it was captured.',
      )
    }
    frontier = time as number
    if ('frontier' in record) yield { frontier }
    else {
      const changes = (record['changes'] as unknown[]).map((change) => readChange(change, schema, number, name, line))
      yield { changes: { time: frontier, changes } }
    }
  }
}

function readChange(change: unknown, schema: Schema, number: number, name: string, line: string): RowChange<object> {
  const { names, types } = schema
  if (!Array.isArray(change) || change.length !== names.length + 1 || !Number.isInteger(change[0])) throw noLine(number, name, line)
  try {
    return { diff: change[0], row: Object.fromEntries(names.map((column, c) => [column, fromJson(types[c], change[c + 1])])) }
  } catch {
    throw noLine(number, name, line)
  }
}

function parse(line: string, place: string): Readonly<Record<string, unknown>> {
  try {
    const record: unknown = JSON.parse(line)
    if (typeof record === 'object' && record !== null) return record as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new MillraceError(
    'BAD_ROW',
    `${place} is no JSON object: ${JSON.stringify(line.slice(0, 60))}`,
    'Replay what capture() has written.',
  )
}

function checkHeader(record: Readonly<Record<string, unknown>>, schema: Schema, name: string): void {
  if (record['millrace'] !== FORMAT || record['version'] !== VERSION) {
    throw new MillraceError(
      'BAD_ROW',
      `the log of ${name} does not begin as a log of version ${VERSION} does`,
      'Replay what capture() has written.',
    )
  }
  const captured = JSON.stringify(record['columns'])
  const wanted = JSON.stringify(columnTypes(schema))
  if (captured === wanted) return
  throw new MillraceError(
    'COLUMN_TYPE',
    `the log has the columns ${captured}, and ${name} has ${wanted}`,
    'Replay into an input with the same columns in the same order.',
  )
}

function columnTypes(schema: Schema): Record<string, string> {
  return Object.fromEntries(schema.names.map((name, c) => [name, typeName(schema.types[c])]))
}

function noLine(number: number, name: string, line: string): MillraceError {
  const shown = JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}...` : line)
  return new MillraceError('BAD_ROW', `line ${number} of the log of ${name} is no change and no frontier: ${shown}`)
}
