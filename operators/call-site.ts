/** Puts the user's line and call before what a plan function has to say about it. */
import { MillraceError } from '../runtime/error.ts'
import { originOf } from './origin.ts'

/** Parameters longer than this are cut in messages. */
const SHOWN_CHARACTERS = 60

type Entry = (...parameters: never[]) => unknown

/**
 * Calls `make` with the origin of the call of `entry` that is under way. A MillraceError that it throws gets a first line such as
 * `feature-store.ts:9  frauds.join(accounts, 'acountId')`.
 */
export function located<T>(entry: Entry, subject: string, parameters: readonly unknown[], make: (origin: string) => T): T {
  const origin = originOf(entry)
  try {
    return make(origin)
  } catch (error) {
    if (!(error instanceof MillraceError || error instanceof TypeError) || isLocated(error)) throw error
    const { code, hint } = error instanceof MillraceError ? error : MISTAKEN
    const plain = hint === undefined || hint === MISTAKEN.hint ? error.message : error.message.slice(0, -(hint.length + 3))
    const place = origin === '' ? '' : `${origin}  `
    const call = `${subject}${entry.name}(${parameters.map(shown).join(', ')})`
    throw new LocatedError(code, `${place}${call}\n  ${plain}`, hint, { cause: error })
  }
}

/** What a TypeError stands for: plain JavaScript was given something that the types forbid. */
const MISTAKEN = { code: 'CONFIG', hint: 'Look at what the call is given.' } as const

/** Inner calls have said where already. */
class LocatedError extends MillraceError {}

function isLocated(error: Error): boolean {
  return error instanceof LocatedError
}

function shown(parameter: unknown): string {
  if (typeof parameter === 'string') return `'${parameter}'`
  if (typeof parameter === 'function') return '...'
  if (typeof parameter === 'object' && parameter !== null && 'label' in parameter) return String(parameter.label)
  if (typeof parameter === 'object' && parameter !== null) {
    if (Array.isArray(parameter)) return cut(`[${parameter.map(shown).join(', ')}]`)
    return cut(
      `{ ${Object.entries(parameter)
        .map(([name, value]) => `${name}: ${shown(value)}`)
        .join(', ')} }`,
    )
  }
  return String(parameter)
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text
}
