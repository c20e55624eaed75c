/**
 * The code of a source without its comments, and if asked for without the content of its strings, so that a rule
 * reads neither prose nor messages. Blanked characters become spaces: lines and columns stay.
 */
export function blank(source: string, what: 'comments' | 'comments and strings'): string {
  const out = source.split('')
  const strings = what === 'comments and strings'
  const erase = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  /** Brace depths at which a template's `${` was opened. */
  const holes: number[] = []
  let depth = 0
  let at = 0
  while (at < source.length) {
    const c = source[at]
    const next = source[at + 1]
    let end = at + 1
    if (c === '/' && next === '/') {
      end = until(source, at, '\n')
      erase(at, end)
    } else if (c === '/' && next === '*') {
      end = until(source, at + 2, '*/') + 2
      erase(at, end)
    } else if (c === "'" || c === '"') {
      end = closing(source, at, c)
      if (strings) erase(at + 1, end - 1)
    } else if (c === '/' && startsRegularExpression(source, at)) {
      end = closingSlash(source, at)
      if (strings) erase(at + 1, end - 1)
    } else if (c === '`' || (c === '}' && holes.at(-1) === depth)) {
      if (c === '}') holes.pop()
      end = templatePart(source, at + 1)
      const opensHole = source[end - 1] === '{'
      if (opensHole) holes.push(depth)
      if (strings) erase(at + 1, end - (opensHole ? 2 : 1))
    } else if (c === '{') depth++
    else if (c === '}') depth--
    at = end
  }
  return out.join('')
}

function until(source: string, from: number, mark: string): number {
  const at = source.indexOf(mark, from)
  return at < 0 ? source.length : at
}

function closing(source: string, from: number, quote: string): number {
  let at = from + 1
  while (at < source.length && source[at] !== quote) at += source[at] === '\\' ? 2 : 1
  return at + 1
}

function closingSlash(source: string, from: number): number {
  let inClass = false
  let at = from + 1
  while (at < source.length && (inClass || source[at] !== '/')) {
    if (source[at] === '[') inClass = true
    else if (source[at] === ']') inClass = false
    at += source[at] === '\\' ? 2 : 1
  }
  return at + 1
}

/** The end of a template's literal part: past the closing backtick, or past the `${` of its next hole. */
function templatePart(source: string, from: number): number {
  let at = from
  while (at < source.length) {
    if (source[at] === '`') return at + 1
    if (source[at] === '$' && source[at + 1] === '{') return at + 2
    at += source[at] === '\\' ? 2 : 1
  }
  return at
}

/** A slash divides after a value and starts a regular expression after anything else. */
function startsRegularExpression(source: string, slash: number): boolean {
  const before = source.slice(Math.max(0, slash - 20), slash).trimEnd()
  return !/[\w$)\]}]$/.test(before) || /\b(return|typeof|case|in|of|do|else|yield|await)$/.test(before)
}
