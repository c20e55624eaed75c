const UTF8 = new TextEncoder()

/** Takes as long for a wrong text as for the right one, so that nobody finds it character by character. */
export function constantTimeEqual(given: string, expected: string): boolean {
  const left = UTF8.encode(given)
  const right = UTF8.encode(expected)
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ right[i % right.length]
  return difference === 0
}
