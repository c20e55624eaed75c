/** Lines that go by, and below them, on a terminal, one that stays and is drawn anew. */
import type { Output } from '../context.ts'

const CLEAR = '\r\x1b[2K'

export class LiveLine {
  private readonly out: Output
  private line = ''

  constructor(out: Output) {
    this.out = out
  }

  /** A line that stays where it is. */
  print(text: string): void {
    this.out.write(this.out.isTTY && this.line !== '' ? `${CLEAR}${text}\n${this.shown()}` : `${text}\n`)
  }

  /** The line that is drawn anew; nothing where there is no terminal. */
  set(text: string): void {
    if (!this.out.isTTY || text === this.line) return
    this.line = text
    this.out.write(`${CLEAR}${this.shown()}`)
  }

  /** Takes it away. */
  close(): void {
    if (this.out.isTTY && this.line !== '') this.out.write(CLEAR)
    this.line = ''
  }

  private shown(): string {
    return this.line.slice(0, Math.max(1, this.out.columns - 1))
  }
}
