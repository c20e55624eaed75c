/**
 * What is going to happen in a simulation, in order of time; of two things at one instant the one planned first comes first. What
 * belongs to a host that is stopped waits until the host goes on, and what belongs to one that crashed never happens.
 */
export interface EventOwner {
  readonly state: 'running' | 'paused' | 'dead'
  /** What fell due while it was paused. */
  readonly waiting: SimulatedEvent[]
}

export interface SimulatedEvent {
  due: number
  order: number
  /** Null once it was called off, or happened. */
  run: (() => void) | null
  readonly owner: EventOwner | null
}

/** Called-off events are taken out when there are more than this, and more than the others. */
const LITTER = 1024

export class SimulatedEvents {
  /** Microseconds. */
  time: number
  /** Events that happened. */
  happened = 0
  /** A binary heap. */
  private heap: SimulatedEvent[] = []
  private planned = 0
  private litter = 0

  constructor(time: number) {
    this.time = time
  }

  /** Plans something; `owner` null is the world itself. Nothing happens before now. */
  at(due: number, owner: EventOwner | null, run: () => void): SimulatedEvent {
    const event: SimulatedEvent = { due: Math.max(due, this.time), order: this.planned++, run, owner }
    this.heap.push(event)
    this.up(this.heap.length - 1)
    return event
  }

  cancel(event: SimulatedEvent): void {
    if (event.run === null) return
    event.run = null
    this.litter++
    if (this.litter > LITTER && this.litter * 2 > this.heap.length) this.sweep()
  }

  /** What waited for its owner comes now, in its old order. */
  resume(owner: EventOwner): void {
    for (const event of owner.waiting.splice(0)) {
      if (event.run === null) continue
      event.due = this.time
      event.order = this.planned++
      this.heap.push(event)
      this.up(this.heap.length - 1)
    }
  }

  /** Lets the next event that is due at or before `limit` happen, at its instant; whether there was one. */
  fireNext(limit: number): boolean {
    while (this.heap.length > 0 && this.heap[0].due <= limit) {
      const event = this.pop()
      const { run, owner } = event
      if (run === null) {
        this.litter--
        continue
      }
      if (owner !== null && owner.state !== 'running') {
        if (owner.state === 'paused') owner.waiting.push(event)
        continue
      }
      this.time = event.due
      event.run = null
      this.happened++
      run()
      return true
    }
    return false
  }

  /** Moves on to `time` without letting anything happen. */
  moveTo(time: number): void {
    this.time = Math.max(this.time, time)
  }

  private pop(): SimulatedEvent {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop() as SimulatedEvent
    if (heap.length > 0) {
      heap[0] = last
      this.down(0)
    }
    return first
  }

  private up(start: number): void {
    const { heap } = this
    const event = heap[start]
    let at = start
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = event
  }

  private down(start: number): void {
    const { heap } = this
    const event = heap[start]
    let at = start
    for (;;) {
      let child = at * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], event)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = event
  }

  private sweep(): void {
    this.heap = this.heap.filter(({ run, owner }) => run !== null && owner?.state !== 'dead')
    this.litter = 0
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.down(i)
  }
}

function before(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}
