/** Server-sent events (WHATWG HTML, section 9.2): what changed, a commit an event, to any number of clients. */
import type { RowChanges } from '../../millrace.ts'

/** An account as the store answers it. */
export interface AccountRow {
  readonly accountId: number
  readonly ownerId: number
  readonly frauds: bigint
}

/** Bytes that may wait for a client; one that reads more slowly is told so and dropped. */
export const CLIENT_BYTES = 1 << 18
export const MOST_CLIENTS = 256
/** Between comments to clients that nothing happens for, so that a dead connection is noticed; milliseconds. */
const KEEP_ALIVE = 15_000
/** A browser that lost the connection comes back after so many milliseconds. */
const RETRY = 1000

type Client = ReadableStreamDefaultController<Uint8Array>

export class ChangeFeed {
  private readonly clients = new Set<Client>()
  private readonly encoder = new TextEncoder()
  private readonly timer = setInterval(() => this.send(': still here\n\n'), KEEP_ALIVE)
  private dropped = 0

  constructor() {
    this.timer.unref()
  }

  get clientCount(): number {
    return this.clients.size
  }

  get droppedCount(): number {
    return this.dropped
  }

  /** Tells all clients the accounts that a commit changed. */
  publish({ time, changes }: RowChanges<AccountRow>): void {
    if (this.clients.size === 0) return
    this.send(event(null, time, { time, accounts: accountChanges(changes) }))
  }

  /** The events from now on; `time` is the last complete one. `lastSeen` is what the client saw last, null if nothing. */
  open(time: number, lastSeen: string | null): ReadableStream<Uint8Array> {
    let client: Client
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          client = controller
          const missed = lastSeen === null || lastSeen === String(time) ? {} : { missedSince: lastSeen }
          client.enqueue(this.encoder.encode(`retry: ${RETRY}\n${event('start', time, { time, ...missed })}`))
          this.clients.add(client)
        },
        cancel: () => {
          this.clients.delete(client)
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: CLIENT_BYTES }),
    )
  }

  /** Ends all streams with an event that says why; returns how many there were. */
  close(): number {
    clearInterval(this.timer)
    this.send(event('end', null, { message: 'the feature store stops' }))
    const { size } = this.clients
    for (const client of this.clients) client.close()
    this.clients.clear()
    return size
  }

  private send(text: string): void {
    const bytes = this.encoder.encode(text)
    for (const client of this.clients) {
      // Room is what is left of the bytes that may wait. A large event goes whole to a client that has read all before.
      if ((client.desiredSize ?? 0) > 0) client.enqueue(bytes)
      else this.drop(client)
    }
  }

  private drop(client: Client): void {
    const message = `more than ${CLIENT_BYTES} bytes were waiting to be read; events are missing from here on: connect again and read /accounts`
    client.enqueue(this.encoder.encode(event('overflow', null, { message })))
    client.close()
    this.clients.delete(client)
    this.dropped++
  }
}

function event(name: string | null, time: number | null, data: object): string {
  return `${name === null ? '' : `event: ${name}\n`}${time === null ? '' : `id: ${time}\n`}data: ${JSON.stringify(data)}\n\n`
}

interface AccountChange {
  readonly accountId: number
  before: { ownerId: number; frauds: number } | null
  after: { ownerId: number; frauds: number } | null
}

/** By account; `before` is null for a new one, `after` for one that is gone. */
export function accountChanges(changes: RowChanges<AccountRow>['changes']): AccountChange[] {
  const byAccount = new Map<number, AccountChange>()
  for (const { row, diff } of changes) {
    let change = byAccount.get(row.accountId)
    if (change === undefined) {
      change = { accountId: row.accountId, before: null, after: null }
      byAccount.set(row.accountId, change)
    }
    const side = { ownerId: row.ownerId, frauds: Number(row.frauds) }
    if (diff < 0) change.before = side
    else change.after = side
  }
  return [...byAccount.values()]
}
