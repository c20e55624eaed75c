/**
 * Takes secrets out of what is written down. Two rules, both always on: what a field with a telling name holds is dropped
 * unread, and the secrets that this process was given are cut out wherever they turn up, in the text of an error, too.
 * Texts that look like credentials of others (URLs with a password, bearer tokens, PEM keys) are cut as well.
 */
import { MillraceError } from '../error.ts'

export const REDACTED = '[redacted]'

/** Shorter secrets are not searched for in texts: they would be found in words. */
const LEAST_SECRET_LENGTH = 6
/** How deep fields are followed, and how many elements of one array or object are kept. */
const MAXIMUM_DEPTH = 6
const MAXIMUM_ELEMENTS = 64
/** Longer texts are cut. */
const MAXIMUM_TEXT_LENGTH = 4096

/** Last words of names of fields that hold secrets: `key`, `tlsKey`, `join_token`, `API_KEY`; not `keys: 17` or `tokenCount`. */
const SECRET_WORDS = new Set(
  'key apikey token tokens secret secrets password passwd passphrase credential credentials authorization cookie pem'.split(' '),
)

function isSecretName(name: string): boolean {
  const last = name.split(/[_\-.\s]|(?<=[a-z0-9])(?=[A-Z])/).at(-1) as string
  return SECRET_WORDS.has(last.toLowerCase())
}

const SECRET_TEXTS: readonly { readonly pattern: RegExp; readonly replacement: string }[] = [
  { pattern: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, replacement: REDACTED },
  { pattern: /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}/gi, replacement: `$1 ${REDACTED}` },
  { pattern: /\b([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, replacement: `$1:${REDACTED}@` },
  {
    pattern: /\b((?:\w*[_-])?(?:token|password|passwd|secret|passphrase)\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&;,)}\]]+)/gi,
    replacement: `$1${REDACTED}`,
  },
]

export class Redactor {
  private readonly secrets: string[] = []

  /** `secrets`: what this process was given, such as its join token. */
  constructor(secrets: readonly (string | null | undefined)[] = []) {
    for (const secret of secrets) this.hide(secret)
  }

  /** From now on the secret is cut out of everything, also as part of a URL or base64. */
  hide(secret: string | null | undefined): void {
    if (secret === null || secret === undefined || secret.length < LEAST_SECRET_LENGTH) return
    for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]))
      if (!this.secrets.includes(form)) this.secrets.push(form)
    // A secret that contains another is cut whole.
    this.secrets.sort((a, b) => b.length - a.length)
  }

  text(text: string): string {
    let result = text
    for (const secret of this.secrets) if (result.includes(secret)) result = result.replaceAll(secret, REDACTED)
    for (const { pattern, replacement } of SECRET_TEXTS) result = result.replace(pattern, replacement)
    return result.length <= MAXIMUM_TEXT_LENGTH ? result : `${result.slice(0, MAXIMUM_TEXT_LENGTH)}... (${result.length} characters)`
  }

  /** The fields as plain JSON values, without secrets; never throws. */
  fields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return this.object(fields, 0)
  }

  private value(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return this.text(value)
      case 'bigint':
        return value.toString()
      case 'number':
        return Number.isFinite(value) ? value : String(value)
      case 'boolean':
      case 'undefined':
        return value
      case 'function':
      case 'symbol':
        return `[${typeof value}]`
      case 'object':
        break
    }
    if (value === null) return null
    if (value instanceof Error) return this.error(value, depth)
    if (depth >= MAXIMUM_DEPTH) return '[deeper]'
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
    if (Array.isArray(value)) {
      const kept = value.slice(0, MAXIMUM_ELEMENTS).map((element) => this.value(element, depth + 1))
      return value.length > MAXIMUM_ELEMENTS ? [...kept, `... (${value.length} elements)`] : kept
    }
    if (value instanceof Map || value instanceof Set) return `[${value.constructor.name} of ${value.size}]`
    return this.object(value, depth)
  }

  private object(object: object, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    let count = 0
    for (const name of Object.keys(object)) {
      if (++count > MAXIMUM_ELEMENTS) {
        result['...'] = `${Object.keys(object).length} fields`
        break
      }
      let value: unknown
      try {
        value = (object as Record<string, unknown>)[name]
      } catch {
        value = '[unreadable]'
      }
      // Numbers and booleans under such a name say how many there are, or whether there is one.
      if (isSecretName(name) && value !== null && value !== undefined && typeof value !== 'number' && typeof value !== 'boolean')
        result[name] = REDACTED
      else result[name] = this.value(value, depth + 1)
    }
    return result
  }

  private error(error: Error, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = { name: error.name, message: this.text(error.message) }
    if (error instanceof MillraceError) result['code'] = error.code
    else if ('code' in error && typeof error.code === 'string') result['code'] = error.code
    if (error.stack !== undefined) result['stack'] = this.text(error.stack)
    if (error.cause !== undefined && depth < MAXIMUM_DEPTH) result['cause'] = this.value(error.cause, depth + 1)
    return result
  }
}
