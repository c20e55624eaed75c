/** What a mistake is answered with. */
import { MillraceError } from '../../millrace.ts'

/** `CODE message`, on one line; fails for an error that is not for users. */
export function refused(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof MillraceError) return `${error.code} ${error.message.replaceAll(/\n\s*/g, ' | ')}`
    throw error
  }
  throw new Error('nothing was thrown')
}
