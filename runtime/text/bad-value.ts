/** Text that stands for no value. Whoever reads many texts catches it, and reports the message with the place. */
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
