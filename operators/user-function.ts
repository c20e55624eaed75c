/** What is checked of a user's function before it is ever called. */
import { shownValue } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'

/** @throws MillraceError CONFIG for what is no function, or one that gives promises */
export function checkFunction(fn: unknown): void {
  if (typeof fn !== 'function')
    throw new MillraceError('CONFIG', `a function is needed, not ${shownValue(fn)}`, 'Write (row) => ... there.')
  if (fn.constructor.name !== 'AsyncFunction') return
  throw new MillraceError(
    'CONFIG',
    'the function is async, but nothing waits for it',
    'Fetch what it needs before, as rows of an input, and join.',
  )
}
