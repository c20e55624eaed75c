/**
 * Changes of an output as server-sent events (WHATWG HTML, section 9.2).
 *
 * | event    | data                                            | id   |                                                             |
 * |----------|-------------------------------------------------|------|-------------------------------------------------------------|
 * | start    | {time, at}                                      | time | nothing is missing between what you have and what follows   |
 * | snapshot | {time, at, rows: [{row, diff}], last}           | time, if last | pages of all rows as of a time                     |
 * | changes  | {time, at, changes: [{row, diff}]}              | time | all changes of a time                                       |
 * | reset    | {reason}                                        |      | forget all rows: a snapshot follows, or start               |
 * | overflow | {code, message}                                 |      | you read too slowly; the stream ends                        |
 * | end      | {code, message}                                 |      | the stream ends for another reason                          |
 *
 * An `id` is sent when everything up to that time was: coming back with it as `Last-Event-ID` goes on from there.
 */
import type { Timers } from '../../runtime/env/environment.ts'
import type { FollowEvent } from './follow-event.ts'
import type { Follower } from './follower.ts'
import type { GatewayShape } from './gateway-shape.ts'
import { type RowEncoder, rowEncoder } from './query-rows.ts'
import { isoMicroseconds } from './query-value.ts'

/** Between comments to clients that nothing happens for, so that a dead connection is noticed. */
export const HEARTBEAT_MILLISECONDS = 15_000
/** A browser that lost the connection comes back after so many milliseconds. */
const RETRY_MILLISECONDS = 1000

const UTF8 = new TextEncoder()
/** One event goes to many followers: it is written once. */
const written = new WeakMap<FollowEvent, Uint8Array>()

/** The events of a follower; it is cancelled when the client goes. */
export function eventStream(follower: Follower, shape: GatewayShape, timers: Timers): ReadableStream<Uint8Array> {
  const encode = rowEncoder(shape)
  let next: Promise<FollowEvent | null> | null = null
  let isGone = false
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(UTF8.encode(`retry: ${RETRY_MILLISECONDS}\n\n`)),
      pull: async (controller) => {
        next ??= follower.next()
        const found = await Promise.race([next, heartbeat(timers, next)])
        if (isGone) return
        if (found === 'heartbeat') {
          controller.enqueue(UTF8.encode(': still here\n\n'))
          return
        }
        next = null
        if (found === null) controller.close()
        else controller.enqueue(bytesOf(found, encode))
      },
      cancel: () => {
        isGone = true
        follower.cancel()
      },
    },
    // What waits is in the follower's queue, which is bounded in bytes.
    { highWaterMark: 0 },
  )
}

function heartbeat(timers: Timers, sooner: Promise<unknown>): Promise<'heartbeat'> {
  return new Promise((resolve) => {
    const timer = timers.setTimeout(() => resolve('heartbeat'), HEARTBEAT_MILLISECONDS, { background: true })
    void sooner.then(
      () => timer.clear(),
      () => timer.clear(),
    )
  })
}

function bytesOf(event: FollowEvent, encode: RowEncoder): Uint8Array {
  const known = written.get(event)
  if (known !== undefined) return known
  const bytes = UTF8.encode(textOf(event, encode))
  if (event.kind === 'changes') written.set(event, bytes)
  return bytes
}

function textOf(event: FollowEvent, encode: RowEncoder): string {
  switch (event.kind) {
    case 'start':
      return text('start', event.time, moment(event.time))
    case 'snapshot':
      return text('snapshot', event.last ? event.time : null, {
        ...moment(event.time),
        rows: event.rows.map(({ row, diff }) => ({ row: encode(row), diff })),
        last: event.last,
      })
    case 'changes':
      return text('changes', event.time, {
        ...moment(event.time),
        changes: event.changes.map(({ row, diff }) => ({ row: encode(row), diff })),
      })
    case 'reset':
      return text('reset', null, { reason: event.reason })
    case 'end':
      return text(event.code === 'OVERFLOW' ? 'overflow' : 'end', null, { code: event.code, message: event.message })
  }
}

function moment(time: number): { readonly time: number; readonly at: string } {
  return { time, at: isoMicroseconds(BigInt(time)) }
}

/** JSON has no line breaks, so data is one line. */
function text(event: string, id: number | null, data: object): string {
  return `event: ${event}\n${id === null ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
