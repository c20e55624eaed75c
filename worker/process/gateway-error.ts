/** What a gateway refuses for now. */
import { type ErrorCode, MillraceError } from '../../runtime/error.ts'

/** Trying again later, here or at another process, can help. */
export class Unavailable extends MillraceError {
  readonly retryAfterSeconds: number

  constructor(code: ErrorCode, message: string, hint?: string, retryAfterSeconds = 1) {
    super(code, message, hint)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** A process without a lease may be one that others do not count on any more. */
export function fenced(name: string): Unavailable {
  return new Unavailable(
    'FENCED',
    `${name} has not heard from the coordinator for longer than its lease lasts`,
    'Others may have taken its place: ask another process of the group, or try again.',
  )
}
