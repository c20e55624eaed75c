/** The two kinds of error that are thrown; bad data is neither: it goes to the error collection. */

export type ErrorCode =
  | 'BAD_ROW'
  | 'BAD_TIME'
  | 'CLOSED'
  | 'COLUMN_TYPE'
  | 'CONFIG'
  | 'FENCED'
  | 'DUPLICATE_NAME'
  | 'INVARIANT'
  | 'ITERATION_LIMIT'
  | 'JOB'
  | 'NOT_KEYED'
  | 'OVERFLOW'
  | 'PROTOCOL'
  | 'REENTRANT'
  | 'REFUSED'
  | 'SOURCE'
  | 'STORE'
  | 'UNKNOWN_COLUMN'
  | 'UNKNOWN_NAME'
  | 'UNREACHABLE'
  | 'USER_FUNCTION'

/** A user's mistake or an operational failure: what happened, and what to do. */
export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? message : `${message}\n  ${hint}`, options)
    this.name = 'MillraceError'
    this.code = code
    this.hint = hint
  }
}

/** Stops the worker: a belief of the engine about itself turned out false. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new MillraceError('INVARIANT', `invariant broken: ${message}`, 'This is a defect of Millrace, not of your program.')
}
