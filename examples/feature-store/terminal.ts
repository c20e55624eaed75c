/** A view that stays in its place on a terminal: redrawn over itself, cut to the window. */

const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const CLEAR_SCREEN = '\x1b[2J\x1b[H'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

export class LiveView {
  private readonly out: NodeJS.WriteStream
  private drawn = 0
  private cleared = false
  private readonly onResize = (): void => {
    this.cleared = false
  }

  constructor(out: NodeJS.WriteStream) {
    this.out = out
    out.on('resize', this.onResize)
  }

  get width(): number {
    return Math.max(20, (this.out.columns ?? 80) - 1)
  }

  /** Lines that fit, the last of the window left to the cursor. */
  get height(): number {
    return Math.max(4, (this.out.rows ?? 24) - 1)
  }

  draw(lines: readonly string[]): void {
    // A terminal that does not take what is written must not make us hold it all: the next view is as good.
    if (this.out.writableNeedDrain) return
    const shown = lines.slice(0, this.height)
    const start = this.cleared ? (this.drawn > 0 ? `\x1b[${this.drawn}A\r` : '\r') : `${HIDE_CURSOR}${CLEAR_SCREEN}`
    this.out.write(`${start}${shown.map((line) => `${line.slice(0, this.width)}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`)
    this.drawn = shown.length
    this.cleared = true
  }

  /** Leaves the last view where it is and the cursor below it. */
  close(): void {
    this.out.off('resize', this.onResize)
    this.out.write(SHOW_CURSOR)
  }
}
