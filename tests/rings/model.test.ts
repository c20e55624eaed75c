import { beforeAll, describe, expect, it } from 'vitest'
import { Exploration, type Outcome, type Process } from './model/explore.ts'
import { type Change, loadParts, type Parts } from './model/parts.ts'
import { awaitingTaken, conversing, type RingCase, reading, sending, taking, writing } from './model/protocols.ts'

const MAXIMUM_STATES = 2_000_000

/** Small rings in which messages wrap, fill the ring, and end where it ends. */
const wrapping: RingCase = { slots: 8, start: 1, lengths: [8, 8, 8, 8, 0] }
const filling: RingCase = { slots: 8, start: 1, lengths: [8, 8, 0, 8, 8] }
const trickling: RingCase = { slots: 8, start: 0, lengths: [0, 0, 0, 0, 0, 0, 0, 8] }
const passing: RingCase = { slots: 16, start: 14, lengths: [0, 0, 24, 0, 16] }
const short: RingCase = { slots: 8, start: 6, lengths: [4, 8] }
const long: RingCase = { slots: 16, start: 9, lengths: [4, 68, 0] }
const empty: RingCase = { slots: 4, start: 1, lengths: [0, 0, 0, 0, 0] }

type Protocol = (parts: Parts) => Process[]
const protocols: Record<string, Protocol> = {
  'a ring that wraps': (parts) => [writing(parts, 'a', wrapping), reading(parts, { a: wrapping }, 'parks')],
  'a ring that is full': (parts) => [writing(parts, 'a', filling), reading(parts, { a: filling }, 'parks')],
  'a ring whose reader tells of room late': (parts) => [writing(parts, 'a', passing), reading(parts, { a: passing }, 'parks')],
  'a ring whose room comes little by little': (parts) => [writing(parts, 'a', trickling), reading(parts, { a: trickling }, 'parks')],
  'messages published together': (parts) => [writing(parts, 'a', filling, 5), reading(parts, { a: filling }, 'parks')],
  'a reader that spins': (parts) => [writing(parts, 'a', wrapping), reading(parts, { a: wrapping }, 'spins, then parks')],
  'a reader that spins for ever': (parts) => [writing(parts, 'a', wrapping), reading(parts, { a: wrapping }, 'spins for ever')],
  'a reader that must not block': (parts) => [writing(parts, 'a', wrapping), reading(parts, { a: wrapping }, 'sleeps without blocking')],
  'two writers and one reader': (parts) => [
    writing(parts, 'a', short),
    writing(parts, 'b', short),
    reading(parts, { a: short, b: short }, 'parks'),
  ],
  'two writers and a reader that spins': (parts) => [
    writing(parts, 'a', short),
    writing(parts, 'b', short),
    reading(parts, { a: short, b: short }, 'spins, then parks'),
  ],
  'an outbox with a message longer than the ring': (parts) => [sending(parts, 'a', long), reading(parts, { a: long }, 'parks')],
  'two threads that send to each other': (parts) => [conversing(parts, 'a', 'b', empty), conversing(parts, 'b', 'a', empty)],
  'a sender that waits for commands to be taken': (parts) => [taking(parts, 4), awaitingTaken(parts, 4, 2)],
}

const writer = 'runtime/channel/ring-writer.ts'
const reader = 'runtime/channel/ring-reader.ts'
const outbox = 'runtime/channel/ring-outbox.ts'
const doorbell = 'runtime/channel/doorbell.ts'
const count = 'worker/command-count.ts'

interface Mistake extends Change {
  readonly title: string
  readonly protocol: keyof typeof protocols
  readonly found: RegExp
}

const ASLEEP = /nobody will wake/
const RACE = /a race/

const mistakes: readonly Mistake[] = [
  {
    title: 'a message is published before it is written',
    file: writer,
    find: '    const { words } = this\n    if (this.skipped',
    replace:
      '    const { words } = this\n    this.atomics.store(words, TAIL, this.tail + this.skipped + slotsFor(length))\n    if (this.skipped',
    protocol: 'a ring that wraps',
    found: RACE,
  },
  {
    title: 'the tail is not stored atomically',
    file: writer,
    find: 'this.atomics.store(this.words, TAIL, this.tail)',
    replace: 'this.words[TAIL] = this.tail',
    protocol: 'a ring that wraps',
    found: RACE,
  },
  {
    title: 'no message begins anew at the beginning',
    file: writer,
    find: 'slots > toEnd ? toEnd : 0',
    replace: '0',
    protocol: 'a ring that wraps',
    found: /access to word/,
  },
  {
    title: 'the wrap mark is forgotten',
    file: writer,
    find: 'if (this.skipped > 0) words',
    replace: 'if (false) words',
    protocol: 'a ring that wraps',
    found: /message 0 in place of|bytes of|torn|race/,
  },
  {
    title: 'what the wrap mark skips counts as room',
    file: writer,
    find: 'this.slots - slots - skipped',
    replace: 'this.slots - slots',
    protocol: 'a ring that wraps',
    found: /race|torn|in place of/,
  },
  {
    title: 'one slot too many is used',
    file: writer,
    find: 'this.slots - slots - skipped',
    replace: 'this.slots - slots - skipped + 1',
    protocol: 'a ring that is full',
    found: RACE,
  },
  {
    title: 'the writer waits for room with messages that it has not published',
    file: writer,
    find: '        this.publish()\n',
    replace: '',
    protocol: 'messages published together',
    found: ASLEEP,
  },
  {
    title: 'the writer looks for room once more before it asks for it',
    file: writer,
    find: '        atomics.store(words, ROOM_WANTED, 1)\n        this.head = atomics.load(words, HEAD)\n',
    replace: '        this.head = atomics.load(words, HEAD)\n        atomics.store(words, ROOM_WANTED, 1)\n',
    protocol: 'a ring whose room comes little by little',
    found: ASLEEP,
  },
  {
    title: 'the reader gives room back that it still reads',
    file: reader,
    find: '      this.length = length\n',
    replace: '      this.length = length\n      this.atomics.store(words, HEAD, this.head + this.taken)\n',
    protocol: 'a ring that wraps',
    found: RACE,
  },
  {
    title: 'the writer is not told of room that it asked for',
    file: reader,
    find: '    this.writer.ring()\n',
    replace: '',
    protocol: 'a ring that is full',
    found: ASLEEP,
  },
  {
    title: 'a fragment keeps its room',
    file: reader,
    find: '    this.release()\n    if (this.come',
    replace: '    if (this.come',
    protocol: 'an outbox with a message longer than the ring',
    found: /asleep|race|torn|in place of|out of bounds/,
  },
  {
    title: 'a short message overtakes those that wait',
    file: outbox,
    find: 'this.overflow.count === 0 && length',
    replace: 'length',
    protocol: 'an outbox with a message longer than the ring',
    found: /bytes of|in place of|out of bounds/,
  },
  {
    title: 'one that is about to sleep does not look again',
    file: doorbell,
    find: 'if (!hasWork()) return true',
    replace: 'return true',
    protocol: 'a ring that wraps',
    found: ASLEEP,
  },
  {
    title: 'one that is about to sleep looks before it says so',
    file: doorbell,
    find: '    this.atomics.store(this.words, this.index, PARKED)\n    if (!hasWork()) return true\n',
    replace: '    const work = hasWork()\n    this.atomics.store(this.words, this.index, PARKED)\n    if (!work) return true\n',
    protocol: 'a reader that must not block',
    found: ASLEEP,
  },
  {
    title: 'who rings does not see that one that watched has gone to sleep',
    file: doorbell,
    find: 'const state = atomics.exchange(words, index, 0)',
    replace: 'const state = atomics.load(words, index)\n    atomics.store(words, index, 0)',
    protocol: 'a reader that spins',
    found: ASLEEP,
  },
  {
    title: 'the doorbell is rung before the message is published',
    file: writer,
    find: '    this.atomics.store(this.words, TAIL, this.tail)\n    this.reader.ring()\n',
    replace: '    this.reader.ring()\n    this.atomics.store(this.words, TAIL, this.tail)\n',
    protocol: 'a reader that spins',
    found: ASLEEP,
  },
  {
    title: 'who rings wakes first and then says that nobody is asleep',
    file: doorbell,
    find: '    const state = atomics.exchange(words, index, 0)\n    if (state === PARKED) atomics.notify(words, index, 1)\n',
    replace: '    if (atomics.load(words, index) === PARKED) atomics.notify(words, index, 1)\n    atomics.store(words, index, 0)\n',
    protocol: 'two writers and one reader',
    found: ASLEEP,
  },
  {
    title: 'the sender looks how much was taken before it asks to be told',
    file: count,
    find: '    atomics.store(board, index + WANTED, 1)\n    return this.waitingBytes <= bytes\n',
    replace: '    const fell = this.waitingBytes <= bytes\n    atomics.store(board, index + WANTED, 1)\n    return fell\n',
    protocol: 'a sender that waits for commands to be taken',
    found: ASLEEP,
  },
  {
    title: 'what was taken is told after the look whether somebody waits for it',
    file: count,
    find: '    atomics.store(board, index + TAKEN, this.taken)\n    if (atomics.load(board, index + WANTED) === 0) return\n',
    replace:
      '    const wanted = atomics.load(board, index + WANTED)\n    atomics.store(board, index + TAKEN, this.taken)\n    if (wanted === 0) return\n',
    protocol: 'a sender that waits for commands to be taken',
    found: ASLEEP,
  },
]

const check = (protocol: string, parts: Parts): Outcome => new Exploration(protocols[protocol](parts)).run(MAXIMUM_STATES)

describe('every interleaving of', () => {
  let parts: Parts
  beforeAll(async () => {
    parts = await loadParts()
  })
  it.each(Object.keys(protocols))('%s', (protocol) => {
    const outcome = check(protocol, parts)
    expect(outcome).toEqual({ kind: 'correct', states: outcome.states })
  })
})

describe('the checker finds', () => {
  it.each(mistakes.map((mistake) => [mistake.title, mistake] as const))('%s', async (_, { protocol, found, ...change }) => {
    const outcome = check(protocol, await loadParts(change))
    expect(outcome.kind === 'wrong' ? outcome.what : '').toMatch(found)
  })
})
