/** Base64 as in RFC 4648 section 4: padded, canonical, no line breaks. Null if the text is not that. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const result = new Uint8Array((text.length / 4) * 3 - padding)
  let bits = 0
  let held = 0
  let at = 0
  for (let i = 0; i < text.length - padding; i++) {
    const code = text.charCodeAt(i)
    const digit = code < 128 ? DIGITS[code] : -1
    if (digit < 0) return null
    bits = (bits << 6) | digit
    held += 6
    if (held < 8) continue
    held -= 8
    result[at++] = bits >> held
    bits &= (1 << held) - 1
  }
  // Bits left over must be zero, else two texts would be the same bytes.
  return bits === 0 ? result : null
}

const DIGITS = new Int8Array(128).fill(-1)
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i
