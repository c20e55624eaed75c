/**
 * Reads JSON (RFC 8259) token by token, so that a number keeps its digits: `JSON.parse` rounds integers beyond 2^53
 * and drops the zero of 1.10, and Node 20 does not show a number's source.
 */
import { bad, shown } from '../../runtime/text/bad-value.ts'

/** Nesting beyond this is refused: readers of nested values recurse. */
export const MAXIMUM_NESTING = 256

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LONE_SURROGATE = /\p{Surrogate}/u

const QUOTE = 34
const BACKSLASH = 92

export class JsonScanner {
  text = ''
  at = 0

  reset(text: string): void {
    this.text = text
    this.at = 0
  }

  /** The next character behind white space, '' at the end. */
  peek(): string {
    for (;;) {
      const code = this.text.charCodeAt(this.at)
      if (code === 32 || code === 10 || code === 13 || code === 9) this.at++
      else return this.at < this.text.length ? this.text[this.at] : ''
    }
  }

  /** Goes past `character` if it is next. */
  take(character: string): boolean {
    if (this.peek() !== character) return false
    this.at++
    return true
  }

  expect(character: string): void {
    if (!this.take(character)) this.malformed(`'${character}'`)
  }

  /** Goes past a literal if it is next: true, false, null. */
  takeWord(word: string): boolean {
    this.peek()
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  /** A string's value. It may share the memory of the line. */
  string(): string {
    this.expect('"')
    const start = this.at
    const text = this.text
    for (let at = start; ; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        this.at = at + 1
        return text.slice(start, at)
      }
      if (code === BACKSLASH) return this.escapedString(start, at)
      if (!(code >= 32)) {
        this.at = at
        this.malformed(at >= text.length ? 'the end of a string' : 'an escape for a control character')
      }
    }
  }

  /** A number's source text, null if no number is next. */
  number(): string | null {
    this.peek()
    NUMBER.lastIndex = this.at
    const match = NUMBER.exec(this.text)
    if (match === null) return null
    this.at += match[0].length
    return match[0]
  }

  /** The source of the next value, of any type; strings in it are not looked into. */
  source(): string {
    this.peek()
    const start = this.at
    let depth = 0
    do {
      const character = this.peek()
      if (character === '{' || character === '[') {
        if (++depth > MAXIMUM_NESTING) bad(`JSON nested deeper than ${MAXIMUM_NESTING}`)
        this.at++
      } else if (character === '}' || character === ']') {
        if (depth-- === 0) this.malformed('a value')
        this.at++
      } else if (character === '"') this.skipString()
      else if (depth > 0 && (character === ',' || character === ':')) this.at++
      else if (!this.takeWord('true') && !this.takeWord('false') && !this.takeWord('null') && this.number() === null)
        this.malformed('a value')
    } while (depth > 0)
    return this.text.slice(start, this.at)
  }

  malformed(expected: string): never {
    const rest = this.text.slice(this.at)
    const found = rest === '' ? 'the line ends' : `there is ${shown(JSON.stringify(rest.slice(0, 12)))}`
    return bad(`malformed JSON: at character ${this.at + 1} ${expected} was expected, but ${found}`)
  }

  private escapedString(start: number, backslash: number): string {
    let at = backslash
    for (; at < this.text.length; at++) {
      const code = this.text.charCodeAt(at)
      if (code === BACKSLASH) at++
      else if (code === QUOTE) break
    }
    if (at >= this.text.length) {
      this.at = this.text.length
      this.malformed('the end of a string')
    }
    let value: string
    try {
      value = JSON.parse(this.text.slice(start - 1, at + 1)) as string
    } catch {
      return this.malformed('a string with valid escapes')
    }
    if (LONE_SURROGATE.test(value)) bad('a string holds half of a surrogate pair, which is no character')
    this.at = at + 1
    return value
  }

  private skipString(): void {
    for (let at = this.at + 1; at < this.text.length; at++) {
      const code = this.text.charCodeAt(at)
      if (code === BACKSLASH) at++
      else if (code === QUOTE) {
        this.at = at + 1
        return
      }
    }
    this.at = this.text.length
    this.malformed('the end of a string')
  }
}

/** Whether all strings in a parsed JSON value are Unicode and all numbers finite; `message` says what is not. */
export function checkJson(value: unknown): void {
  if (typeof value === 'string') {
    if (LONE_SURROGATE.test(value)) bad('a string holds half of a surrogate pair, which is no character')
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) bad('a number in the JSON is out of the range of float64')
  } else if (Array.isArray(value)) {
    for (const element of value) checkJson(element)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      checkJson(name)
      checkJson(member)
    }
  }
}
