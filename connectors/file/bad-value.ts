/** Leaves the decoding of one line; caught by the line decoder, which reports the message with the line's place. */
export class BadValue extends Error {
  override readonly name = 'BadValue'
}

export function bad(message: string): never {
  throw new BadValue(message)
}

/** A value's text for a message, shortened. */
export function shown(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`
}
