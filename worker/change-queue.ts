/** A bounded queue between a commit, which never waits, and an async iterator, which may be slow. */
import type { MillraceError } from '../runtime/error.ts'

/** What a slow reader may leave unread. */
export const QUEUED_CHANGES = 1 << 20

export class ChangeQueue<T> implements AsyncIterableIterator<T> {
  private items: T[] = []
  private head = 0
  private readonly waiting: ((result: IteratorResult<T>) => void)[] = []
  private ended = false
  private error: MillraceError | null = null
  private readonly atEnd: () => void

  /** `atEnd` is called once, when the reader stops or the queue ends. */
  constructor(atEnd: () => void) {
    this.atEnd = atEnd
  }

  get length(): number {
    return this.items.length - this.head
  }

  /** The newest item that nobody has taken yet. */
  push(item: T): void {
    if (this.ended) return
    const reader = this.waiting.shift()
    if (reader !== undefined) reader({ done: false, value: item })
    else this.items.push(item)
  }

  /** The reader gets the error in place of what is queued. */
  fail(error: MillraceError): void {
    this.error = error
    this.end()
    this.items = []
    this.head = 0
  }

  /** No more items come; what is queued can still be read. */
  end(): void {
    if (this.ended) return
    this.ended = true
    for (const reader of this.waiting.splice(0)) reader({ done: true, value: undefined })
    this.atEnd()
  }

  async next(): Promise<IteratorResult<T>> {
    if (this.error !== null) {
      const { error } = this
      this.error = null
      throw error
    }
    if (this.head < this.items.length) {
      const value = this.items[this.head++]
      if (this.head === this.items.length || this.head > 1024) {
        this.items = this.items.slice(this.head)
        this.head = 0
      }
      this.taken(value)
      return { done: false, value }
    }
    if (this.ended) return { done: true, value: undefined }
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<T>> {
    this.end()
    this.items = []
    this.head = 0
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** For accounts of what is queued. */
  protected taken(_item: T): void {}
}
