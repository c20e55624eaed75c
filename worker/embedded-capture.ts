/** capture and replay: an output's changes as a log that can be kept, and a log as an input at the times it was captured at. */
import { type CapturedEvent, changesLine, frontierLine, headerLine, readLog } from '../operators/capture-log.ts'
import type { InputDefinitions } from '../operators/input-definition.ts'
import type { OutputDefinitions } from '../operators/job.ts'
import type { RowChanges, Unsubscribe } from '../operators/output.ts'
import { MillraceError } from '../runtime/error.ts'
import type { App } from './embedded.ts'
import type { InputHandle } from './embedded-inputs.ts'
import { type ChangesOutput, RowsOutput } from './embedded-outputs.ts'

/**
 * Writes down what an output does, as lines of text without line ends: what it holds now, if it is kept, and its changes from now on.
 * A call of what is returned ends the log at the last complete time.
 * @example
 *   const lines: string[] = []
 *   const stop = capture(app.outputs.byCity, (line) => lines.push(line))
 */
export function capture<R extends object>(output: ChangesOutput<R>, write: (line: string) => void): Unsubscribe {
  const { schema } = output
  const told = (changes: RowChanges<R>): void => write(changesLine(schema, changes))
  let open = true
  const header = headerLine(schema)
  const stop = output.subscribe(told)
  write(header)
  if (output instanceof RowsOutput) {
    const rows = output.multiset().map(({ row, multiplicity }) => ({ row: row as R, diff: multiplicity }))
    if (rows.length > 0) told({ time: output.time, changes: rows })
  }
  return () => {
    if (!open) return
    open = false
    stop()
    write(frontierLine(output.time + 1))
  }
}

/** For inputs by name, the lines that `capture` wrote. */
export type CapturedLogs<I> = { readonly [N in keyof I]?: Iterable<string> }

/**
 * Does again what was captured: each log's changes become changes of an input, committed at the times they had. Times have to be
 * after the app's last one, as in an app that has just been embedded. Returns the last time.
 * @throws MillraceError BAD_TIME for times that have passed, BAD_ROW and COLUMN_TYPE for logs that do not fit the input
 */
export function replay<I extends InputDefinitions, O extends OutputDefinitions>(app: App<I, O>, logs: CapturedLogs<I>): number {
  const reading: { input: InputHandle; events: Iterator<CapturedEvent>; next: CapturedEvent | undefined }[] = []
  for (const [name, lines] of Object.entries<Iterable<string> | undefined>(logs)) {
    if (lines === undefined) continue
    const input = (app.inputs as Record<string, unknown>)[name] as InputHandle
    const events = readLog(lines, input.schema, name)
    reading.push({ input, events, next: events.next().value as CapturedEvent | undefined })
  }
  for (;;) {
    let time = Number.POSITIVE_INFINITY
    for (const { next } of reading) if (next !== undefined) time = Math.min(time, timeOf(next))
    if (time === Number.POSITIVE_INFINITY) return app.time
    let last = true
    for (const log of reading) {
      while (log.next !== undefined && timeOf(log.next) === time) {
        if ('changes' in log.next) {
          if (time <= app.time) throw passed(time, app.time)
          log.input.applyChanges(log.next.changes.changes)
        }
        log.next = log.events.next().value as CapturedEvent | undefined
      }
      last &&= log.next === undefined
    }
    if (time > app.time && (last || app.hasWritten)) app.advanceTo(time)
  }
}

/** A frontier stands for the time before it. */
function timeOf(event: CapturedEvent): number {
  return 'frontier' in event ? event.frontier - 1 : event.changes.time
}

function passed(time: number, last: number): MillraceError {
  return new MillraceError(
    'BAD_TIME',
    `the log has changes at time ${time}, and the app is at ${last}`,
    'Replay into an app just embedded.',
  )
}
