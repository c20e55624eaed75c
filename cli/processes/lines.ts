/** Splits what a process writes into lines, in bounded memory. */

/** A longer line is cut. */
const LONGEST_LINE = 16_384

export class Lines {
  private readonly take: (line: string) => void
  private readonly decoder = new TextDecoder()
  private rest = ''

  constructor(take: (line: string) => void) {
    this.take = take
  }

  add(bytes: Uint8Array): void {
    const parts = (this.rest + this.decoder.decode(bytes, { stream: true })).split('\n')
    this.rest = parts.pop() as string
    for (const line of parts) this.take(line)
    if (this.rest.length > LONGEST_LINE) this.end()
  }

  /** What is left is a line, too. */
  end(): void {
    if (this.rest !== '') this.take(this.rest)
    this.rest = ''
  }
}
