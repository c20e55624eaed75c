/** The processes that are checked: rings and doorbells as threads use them, small. */
import { type Doorbell, PARKED_VALUE } from '../../../runtime/channel/doorbell.ts'
import { FIRST_WORD, HEAD, TAIL } from '../../../runtime/channel/ring.ts'
import type { RingOverflow } from '../../../runtime/channel/ring-overflow.ts'
import type { Machine, Process, State } from './explore.ts'
import type { Parts } from './parts.ts'

export interface RingCase {
  /** Of the ring; messages may be a quarter of it long, 8 bytes less. */
  readonly slots: number
  /** Where writer and reader begin, slots. */
  readonly start: number
  /** Of the messages, bytes, a multiple of 4. */
  readonly lengths: readonly number[]
}

const WRITER_BELL = 0
const READER_BELL = 1
const SPINNING = 8

/** A writer that waits for room with each message, and publishes every `batch` of them. */
export function writing(parts: Parts, name: string, ring: RingCase, batch = 1): Process {
  return {
    name,
    start: { ...startOfWriter(ring), next: 0 },
    memory: startOfRing(name, ring),
    round(state, machine) {
      const words = ringWords(machine, name, ring)
      const { doorbell: own, other } = bells(parts, machine, name)
      const writer = restored(new parts.RingWriter(words, machine.bytes(words), other, machine.atomics), state)
      const next = state.next as number
      if (next === ring.lengths.length) {
        writer.publish()
        return null
      }
      const length = ring.lengths[next]
      const offset = writer.reserve(length)
      if (offset < 0) {
        own.park(() => writer.reserve(length) >= 0, 0)
        return { ...saved(writer), next }
      }
      for (let w = 0; w < length / 4; w++) words[(offset >> 2) + w] = 100 * (next + 1) + w
      writer.commit(length, next)
      if ((next + 1) % batch === 0) writer.publish()
      return { ...saved(writer), next: next + 1 }
    },
  }
}

/** How a reader waits. */
export type Waiting = 'parks' | 'spins, then parks' | 'spins for ever' | 'sleeps without blocking'

/** A reader of one or more rings with one doorbell, which asserts that messages of each come whole and in order. */
export function reading(parts: Parts, rings: Readonly<Record<string, RingCase>>, waiting: Waiting): Process {
  const names = Object.keys(rings)
  return {
    name: 'reader',
    start: Object.fromEntries(names.map((name) => [name, { ...startOfReader(rings[name]), expected: 0 }])),
    round(state, machine) {
      const readers = names.map((name) => {
        const words = ringWords(machine, name, rings[name])
        const writer = bells(parts, machine, name).doorbell
        const reader = new parts.RingReader(words, machine.bytes(words), writer, machine.atomics)
        const before = state[name] as State
        return { name, words, reader: restored(reader, before), expected: before.expected as number }
      })
      let took = false
      for (const entry of readers) {
        const { lengths } = rings[entry.name]
        if (entry.expected === lengths.length || !entry.reader.next()) continue
        expectMessage(entry.reader, entry.words, entry.expected, lengths[entry.expected])
        entry.reader.release()
        entry.expected++
        took = true
      }
      const after = () => Object.fromEntries(readers.map(({ name, reader, expected }) => [name, { ...saved(reader), expected }]))
      if (took) return after()
      if (readers.every(({ name, expected }) => expected === rings[name].lengths.length)) return null
      const { other: own } = bells(parts, machine, names[0])
      const hasWork = () => readers.some(({ reader }) => reader.hasMore)
      const board = machine.words('board', 1000)
      if (waiting === 'parks') own.park(hasWork, 0)
      else if (waiting === 'sleeps without blocking') {
        if (own.announce(hasWork)) machine.atomics.wait(own.words, own.index, PARKED_VALUE, 0)
      } else
        new parts.Waiter(own, { words: board, index: SPINNING, most: 1, always: waiting === 'spins for ever' }, machine.atomics).wait(
          hasWork,
          0,
        )
      return after()
    },
  }
}

/** A writer of messages of any length, which never waits for one to fit before it sends the next. */
export function sending(parts: Parts, name: string, ring: RingCase): Process {
  return {
    name,
    start: { ring: startOfWriter(ring), outbox: {}, next: 0 },
    memory: startOfRing(name, ring),
    round(state, machine) {
      const words = ringWords(machine, name, ring)
      const { doorbell: own, other } = bells(parts, machine, name)
      const writer = restored(new parts.RingWriter(words, machine.bytes(words), other, machine.atomics), state.ring as State)
      const outbox = restored(new parts.RingOutbox(writer), state.outbox as State)
      const next = state.next as number
      const after = (sent: number) => ({ ring: saved(writer), outbox: saved(outbox), next: sent })
      if (next < ring.lengths.length) {
        const message = Int32Array.from({ length: ring.lengths[next] / 4 }, (_, w) => 100 * (next + 1) + w)
        outbox.send(next, new Uint8Array(message.buffer))
        return after(next + 1)
      }
      outbox.flush()
      if (!outbox.isWaiting) return null
      own.park(() => outbox.flush(), 0)
      return after(next)
    },
  }
}

/** A thread that sends one ring's messages and reads the other's, and sleeps for both at one doorbell. */
export function conversing(parts: Parts, out: string, into: string, ring: RingCase): Process {
  return {
    name: `${out} to ${into}`,
    start: { ring: startOfWriter(ring), outbox: {}, reader: startOfReader(ring), sent: 0, expected: 0 },
    memory: startOfRing(out, ring),
    round(state, machine) {
      const words = { out: ringWords(machine, out, ring), into: ringWords(machine, into, ring) }
      const own = bells(parts, machine, out).doorbell
      const other = bells(parts, machine, into).doorbell
      const writer = restored(new parts.RingWriter(words.out, machine.bytes(words.out), other, machine.atomics), state.ring as State)
      const outbox = restored(new parts.RingOutbox(writer), state.outbox as State)
      const reader = restored(new parts.RingReader(words.into, machine.bytes(words.into), other, machine.atomics), state.reader as State)
      let { sent, expected } = state as { sent: number; expected: number }
      const after = () => ({ ring: saved(writer), outbox: saved(outbox), reader: saved(reader), sent, expected })
      if (sent < ring.lengths.length) {
        outbox.send(sent++, new Uint8Array(0))
        return after()
      }
      outbox.flush()
      if (expected < ring.lengths.length && reader.next()) {
        expectMessage(reader, words.into, expected, ring.lengths[expected])
        reader.release()
        expected++
        return after()
      }
      if (expected === ring.lengths.length && !outbox.isWaiting) return null
      own.park(() => reader.hasMore || outbox.flush(), 0)
      return after()
    },
  }
}

/** A thread that takes `count` commands of 8 bytes. */
export function taking(parts: Parts, count: number): Process {
  return {
    name: 'taker',
    start: { taken: 0 },
    round(state, machine) {
      const { other } = bells(parts, machine, 'a')
      const commands = restored(new parts.TakenCommands(machine.words('board', 1000), 100, other, machine.atomics), state)
      if ((state.taken as number) === count) return null
      commands.take(8)
      return saved(commands)
    },
  }
}

/** Who sent them, and waits until no more than `most` wait; and then again until none does. */
export function awaitingTaken(parts: Parts, count: number, most: number): Process {
  return {
    name: 'sender',
    start: { bound: most },
    round(state, machine) {
      const { other: own } = bells(parts, machine, 'a')
      const commands = new parts.SentCommands(machine.words('board', 1000), 100, machine.atomics)
      commands.send(8 * count)
      const bound = state.bound as number
      if (commands.waitingBytes <= 8 * bound) return bound === 0 ? null : { bound: 0 }
      own.park(() => commands.fellTo(8 * bound), 0)
      return state
    },
  }
}

function expectMessage(
  reader: { tag: number; length: number; source: Uint8Array; offset: number },
  words: Int32Array,
  number: number,
  length: number,
): void {
  if (reader.tag !== number) throw new Error(`message ${reader.tag} in place of ${number}`)
  if (reader.length !== length) throw new Error(`${reader.length} bytes of ${length}`)
  const joined = reader.source instanceof Uint8Array ? new Int32Array(reader.source.buffer) : words
  for (let w = 0; w < length / 4; w++)
    if (joined[(reader.offset >> 2) + w] !== 100 * (number + 1) + w) throw new Error(`word ${w} of message ${number} is torn`)
}

const ringWords = (machine: Machine, name: string, ring: RingCase) => machine.words(name, FIRST_WORD + 2 * ring.slots)

/** Rings are called a, b, ..: each has a writer with a doorbell; the reader has one for all. */
function bells(parts: Parts, machine: Machine, name: string): { doorbell: Doorbell; other: Doorbell } {
  const board = machine.words('board', 1000)
  const writer = WRITER_BELL + 2 * (name.charCodeAt(0) - 97)
  return {
    doorbell: new parts.Doorbell(board, writer, machine.atomics),
    other: new parts.Doorbell(board, READER_BELL, machine.atomics),
  }
}

const startOfRing = (words: string, { start }: RingCase) => [HEAD, TAIL].map((index) => ({ words, index, value: start }))
const startOfWriter = ({ start }: RingCase) => ({ tail: start, published: start, head: start })
const startOfReader = ({ start }: RingCase) => ({ head: start, told: start, tail: start })

/** Numbers and queued bytes of an object: all that it knows besides shared memory. */
function saved(object: object): State {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => typeof value === 'number')
      .concat(queues(object)),
  )
}

function queues(object: object): [string, unknown][] {
  const { overflow, partial } = object as { overflow?: RingOverflow; partial?: Uint8Array }
  const found: [string, unknown][] = []
  if (overflow !== undefined) {
    const waiting: { tag: number; bytes: number[] }[] = []
    for (; overflow.count > 0; overflow.shift()) waiting.push({ tag: overflow.tag, bytes: [...overflow.view()] })
    found.push(['overflow', waiting])
  }
  if (partial !== undefined) found.push(['partial', [...partial]])
  return found
}

function restored<T extends object>(object: T, state: State): T {
  for (const [field, value] of Object.entries(state)) {
    if (field === 'overflow') {
      const { overflow } = object as { overflow: RingOverflow }
      for (const { tag, bytes } of value as { tag: number; bytes: number[] }[]) overflow.append(tag, Uint8Array.from(bytes))
    } else if (field === 'partial') Object.assign(object, { partial: Uint8Array.from(value as number[]) })
    else if (field in object) Object.assign(object, { [field]: value })
  }
  return object
}
