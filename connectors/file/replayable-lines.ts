/** Lines that were read and not taken yet: any number of them is split off, as a batch of its own. */
import type { BadLine, LineBatch } from './position.ts'
import { hashLine } from './replayable-position.ts'

/** One batch of a follower, from which lines are taken from the front. */
export class PendingLines {
  private readonly batch: LineBatch
  private nextLine = 0
  private nextBad = 0

  constructor(batch: LineBatch) {
    this.batch = batch
  }

  /** Lines left, bad ones too. */
  get count(): number {
    return this.batch.lines.length - this.nextLine + this.batch.bad.length - this.nextBad
  }

  /** The next lines, at most so many, and the hash of all lines up to them. Of the parts only the last one's `end` is its own. */
  take(count: number, hash: number): { readonly batch: LineBatch; readonly hash: number } {
    const { batch } = this
    const fromLine = this.nextLine
    const fromBad = this.nextBad
    let sum = hash
    for (let i = Math.min(count, this.count); i > 0; i--) {
      const good = this.nextLine < batch.lines.length
      if (good && !(this.nextBad < batch.bad.length && batch.bad[this.nextBad].position.line < batch.lineNumbers[this.nextLine]))
        sum = hashLine(sum, batch.lines[this.nextLine++])
      else sum = hashLine(sum, textOf(batch.bad[this.nextBad++]))
    }
    const lines = batch.lines.slice(fromLine, this.nextLine)
    const lineNumbers = batch.lineNumbers.slice(fromLine, this.nextLine)
    const offsets = batch.offsets.slice(fromLine, this.nextLine)
    const bad = batch.bad.slice(fromBad, this.nextBad)
    return { batch: { ...batch, lines, lineNumbers, offsets, bad }, hash: sum }
  }
}

function textOf({ excerpt, message }: BadLine): string {
  return `${excerpt}\n${message}`
}
