import { type ErrorCode, MillraceError } from '../runtime/error.ts'

/** Whether something thrown is an error of this code. */
export function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof MillraceError && error.code === code
}

/** What people are told of something thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
