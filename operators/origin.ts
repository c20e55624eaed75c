/**
 * Where the user's program called the API, as `file:line`, for messages and error rows.
 *
 * One frame is captured, the caller of `entry`, so a call costs microseconds however deep the program is; it is paid when a job is
 * defined, never for data. Hosts without V8's `captureStackTrace` get an empty origin.
 */
interface StackCapture {
  stackTraceLimit: number
  captureStackTrace?(target: { stack?: string }, above: unknown): void
}

/** Origins are cut to this many characters. */
const LONGEST_ORIGIN = 120

/** The origin of the call of `entry` that is under way. */
export function originOf(entry: (...parameters: never[]) => unknown): string {
  const host = Error as unknown as StackCapture
  if (typeof host.captureStackTrace !== 'function') return ''
  const limit = host.stackTraceLimit
  const holder: { stack?: string } = {}
  host.stackTraceLimit = 1
  host.captureStackTrace(holder, entry)
  const { stack } = holder
  host.stackTraceLimit = limit
  return typeof stack === 'string' ? parseOrigin(stack) : ''
}

/** `name.ts:9` of the last frame of a V8 stack; exported for its test. */
export function parseOrigin(stack: string): string {
  const frame = stack.slice(stack.lastIndexOf('\n') + 1)
  const found = /([^\\/()\s?]+)(?:\?[^:)]*)?:(\d+):\d+\)?$/.exec(frame)
  return found === null ? '' : `${found[1]}:${found[2]}`.slice(-LONGEST_ORIGIN)
}
