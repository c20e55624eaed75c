/** Messages in order in memory of their sender, many in a piece of memory: what had no room in a ring waits here. */

/** Of a piece; a longer message has one of its own. */
const PIECE_BYTES = 256 << 10
/** Length and tag of a message. */
const HEADER_BYTES = 8

interface Piece {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  /** Where the next message goes. */
  end: number
}

export class RingOverflow {
  /** Messages, and bytes of them. */
  count = 0
  payloadBytes = 0
  private readonly pieces: Piece[] = []
  /** Where the first message begins in the first piece. */
  private begin = 0
  /** A piece that was emptied: a sender that is held up time and again allocates none. */
  private spare: Piece | null = null

  append(tag: number, message: Uint8Array): void {
    const size = HEADER_BYTES + ((message.length + 7) & ~7)
    let piece = this.pieces.at(-1)
    if (piece === undefined || piece.end + size > piece.bytes.length) {
      piece = this.piece(size)
      this.pieces.push(piece)
    }
    const at = piece.end >> 2
    piece.words[at] = message.length
    piece.words[at + 1] = tag
    piece.bytes.set(message, piece.end + HEADER_BYTES)
    piece.end += size
    this.count++
    this.payloadBytes += message.length
  }

  /** Of the first message; there must be one. */
  get length(): number {
    return this.pieces[0].words[this.begin >> 2]
  }

  get tag(): number {
    return this.pieces[0].words[(this.begin >> 2) + 1]
  }

  /** The first message's payload, valid until `shift`. */
  view(): Uint8Array {
    const from = this.begin + HEADER_BYTES
    return this.pieces[0].bytes.subarray(from, from + this.length)
  }

  /** Removes the first message. */
  shift(): void {
    const { length } = this
    const [piece] = this.pieces
    this.begin += HEADER_BYTES + ((length + 7) & ~7)
    this.count--
    this.payloadBytes -= length
    if (this.begin < piece.end) return
    this.pieces.shift()
    this.begin = 0
    if (piece.bytes.length === PIECE_BYTES) this.spare = piece
  }

  private piece(size: number): Piece {
    const { spare } = this
    if (size <= PIECE_BYTES && spare !== null) {
      this.spare = null
      spare.end = 0
      return spare
    }
    const bytes = new Uint8Array(Math.max(size, PIECE_BYTES))
    return { bytes, words: new Int32Array(bytes.buffer), end: 0 }
  }
}
