/** Exit codes, and errors as the command line shows them. */
import { CommanderError } from 'commander'
import { MillraceError } from '../runtime/error.ts'

export const EXIT_OK = 0
/** It was tried, and failed. */
export const EXIT_FAILED = 1
/** The command line, the environment or a configuration file is wrong: nothing was tried. */
export const EXIT_USAGE = 2
/** Nobody answers there. */
export const EXIT_UNREACHABLE = 3
/** Somebody answers, and says no: a token, a version, a name that is taken. */
export const EXIT_REFUSED = 4
/** After a second signal, as shells say it. */
export const EXIT_INTERRUPTED = 130

export const EXIT_CODES: readonly number[] = [EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_REFUSED, EXIT_INTERRUPTED]

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
  if (!(error instanceof MillraceError)) return EXIT_FAILED
  switch (error.code) {
    case 'CONFIG':
      return EXIT_USAGE
    case 'UNREACHABLE':
      return EXIT_UNREACHABLE
    case 'REFUSED':
    case 'PROTOCOL':
    case 'DUPLICATE_NAME':
    case 'FENCED':
      return EXIT_REFUSED
    default:
      return EXIT_FAILED
  }
}

/** For people; a stack only of what is a defect. */
export function errorText(error: unknown): string {
  if (error instanceof MillraceError) return error.code === 'INVARIANT' ? (error.stack ?? error.message) : error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** For programs, on one line of standard error. */
export function errorJson(error: unknown): string {
  const { code, message } =
    error instanceof MillraceError ? error : { code: 'FAILED', message: error instanceof Error ? error.message : String(error) }
  return JSON.stringify({ error: { code, message } })
}
