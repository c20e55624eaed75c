/** A follower's reader in a test: what it was told, put together, and held to the truth at every event. */
import { expect } from 'vitest'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import type { FollowEvent } from '../../worker/process/follow-event.ts'
import type { Follower } from '../../worker/process/follower.ts'
import { mergeRows } from '../../worker/process/gateway-shape.ts'
import type { FakeGroup } from './fake-group.ts'

export class TestReader {
  readonly events: FollowEvent[] = []
  /** Up to where it has all changes; null before it starts, and after a reset. */
  time: number | null = null
  /** All rows; null for one that began without a snapshot. */
  state: CountedRow[] | null = null
  ended: Extract<FollowEvent, { kind: 'end' }> | null = null
  resets = 0
  private readonly group: FakeGroup
  private readonly output: string

  constructor(group: FakeGroup, output: string) {
    this.group = group
    this.output = output
  }

  /** Reads until the end, with a pause before each event. */
  async read(follower: Follower, pause: () => Promise<void>): Promise<void> {
    for (;;) {
      await pause()
      const event = await follower.next()
      if (event === null) return
      this.take(event)
    }
  }

  take(event: FollowEvent): void {
    expect(this.ended, 'an event after the end').toBeNull()
    this.events.push(event)
    const shape = this.group.shape(this.output)
    switch (event.kind) {
      case 'start':
        this.time = event.time
        return
      case 'snapshot':
        this.state = mergeRows([this.state ?? [], event.rows], shape)
        this.time = null
        if (!event.last) return
        this.time = event.time
        expect(this.state, `the snapshot as of ${event.time}`).toEqual(this.group.holds(this.output, event.time))
        return
      case 'changes':
        expect(this.time, 'changes before a start').not.toBeNull()
        // Nothing is left out, nothing is told twice.
        expect([{ time: event.time, changes: event.changes }]).toEqual(
          this.group.changesBetween(this.output, this.time as number, event.time),
        )
        if (this.state !== null) this.state = mergeRows([this.state, event.changes], shape)
        this.time = event.time
        return
      case 'reset':
        this.resets++
        this.state = null
        this.time = null
        return
      case 'end':
        this.ended = event
    }
  }

  /** Whether it has everything up to the last time that changed something. */
  checkCaughtUp(): void {
    expect(this.time).not.toBeNull()
    expect(this.group.changesBetween(this.output, this.time as number, Number.POSITIVE_INFINITY)).toEqual([])
  }
}
