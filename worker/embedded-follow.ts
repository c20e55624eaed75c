/** The async iterators of an output: changes by time, and updates by key. */
import type { RowChange, RowChanges } from '../operators/output.ts'
import { MillraceError } from '../runtime/error.ts'
import { ChangeQueue, QUEUED_CHANGES } from './change-queue.ts'

/** How a key's row changed: no `before` for a new key, no `after` for one that is gone. */
export interface KeyUpdate<R, K> {
  readonly key: K
  readonly before: R | undefined
  readonly after: R | undefined
  readonly time: number
}

/** Changes by time; a reader that leaves more than QUEUED_CHANGES changes unread gets an OVERFLOW error. */
export class ChangesQueue<R> extends ChangeQueue<RowChanges<R>> {
  private queued = 0
  private readonly name: string

  constructor(name: string, atEnd: () => void) {
    super(atEnd)
    this.name = name
  }

  add(changes: RowChanges<R>): void {
    this.queued = this.length === 0 ? 0 : this.queued
    this.push(changes)
    if (this.length > 0) this.queued += changes.changes.length
    if (this.queued <= QUEUED_CHANGES) return
    this.fail(
      new MillraceError(
        'OVERFLOW',
        `a reader of ${this.name}.changes() is ${this.queued} changes behind`,
        'Read faster, or follow updates(), which merges what is unread per key.',
      ),
    )
  }

  protected override taken(item: RowChanges<R>): void {
    this.queued -= item.changes.length
  }
}

type Mutable<T> = { -readonly [N in keyof T]: T[N] }

/**
 * Updates by key. Once as many as `MERGED_UPDATES` are unread, a key's updates become one: the oldest `before`, the newest
 * `after` and time; so at most one update a key, besides those, ever waits.
 */
export class UpdatesQueue<R extends object, K> extends ChangeQueue<KeyUpdate<R, K>> {
  private readonly names: readonly string[]
  private readonly unread = new Map<string, Mutable<KeyUpdate<R, K>>>()

  constructor(keyNames: readonly string[], atEnd: () => void) {
    super(atEnd)
    this.names = keyNames
  }

  add({ time, changes }: RowChanges<R>): void {
    for (const update of updatesOf<R, K>(this.names, time, changes)) {
      const text = keyText(this.names, update.key as Readonly<Record<string, unknown>>)
      const earlier = this.length >= MERGED_UPDATES ? this.unread.get(text) : undefined
      if (earlier !== undefined) {
        earlier.after = update.after
        earlier.time = time
        continue
      }
      this.push(update)
      if (this.length > 0) this.unread.set(text, update)
    }
  }

  protected override taken(item: KeyUpdate<R, K>): void {
    const text = keyText(this.names, item.key as Readonly<Record<string, unknown>>)
    if (this.unread.get(text) === item) this.unread.delete(text)
  }
}

const MERGED_UPDATES = 1 << 12

/** The changes of one time, put together by key, in the order in which the keys come. */
export function updatesOf<R extends object, K>(
  names: readonly string[],
  time: number,
  changes: readonly RowChange<R>[],
): Mutable<KeyUpdate<R, K>>[] {
  const updates = new Map<string, Mutable<KeyUpdate<R, K>>>()
  for (const { row, diff } of changes) {
    const values = row as Readonly<Record<string, unknown>>
    const text = keyText(names, values)
    let update = updates.get(text)
    if (update === undefined) {
      const key = Object.fromEntries(names.map((name) => [name, values[name]])) as K
      update = { key, before: undefined, after: undefined, time }
      updates.set(text, update)
    }
    if (diff < 0) update.before = row
    else update.after = row
  }
  return [...updates.values()]
}

function keyText(names: readonly string[], row: Readonly<Record<string, unknown>>): string {
  const values = names.map((name) => row[name])
  return JSON.stringify(values, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}
