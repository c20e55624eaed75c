/** A whole terminal that is drawn anew; what was on it before comes back at the end. */
import type { Output } from '../context.ts'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

export class Screen {
  private readonly out: Output
  private entered = false

  constructor(out: Output) {
    this.out = out
  }

  draw(lines: readonly string[]): void {
    const { columns, rows } = this.out
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`)
    this.out.write(`${this.entered ? '' : ENTER}${HOME}${shown.join('\n')}\n${CLEAR_BELOW}`)
    this.entered = true
  }

  close(): void {
    if (this.entered) this.out.write(LEAVE)
    this.entered = false
  }
}
