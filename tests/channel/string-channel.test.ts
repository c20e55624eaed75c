/** Strings arrive as what they are: whatever the sender's and the receiver's garbage collections do to ids in between. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME_STRING_BYTES, type Frame, MAXIMUM_WIRE_BYTES } from '../../runtime/channel/frame.ts'
import { StringReceiver, StringSender } from '../../runtime/channel/string-channel.ts'
import { WireDecoder, WireEncoder } from '../../runtime/channel/wire.ts'
import { type Batch, BatchPool } from '../../runtime/data/batch.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'

const WIDTHS = [1, 2, 1]
const INTERNED = [0, 2]
const pool = new BatchPool(WIDTHS)

/** Rows of two texts and a number between them; null where a text is null. */
type Row = readonly [string | null, string | null]

function batchOf(rows: readonly Row[], dictionary: Dictionary): Batch {
  const batch = pool.take(7, rows.length)
  batch.n = rows.length
  rows.forEach(([a, b], i) => {
    batch.columns[0][i] = a === null ? 0 : dictionary.intern(a)
    batch.columns[1][2 * i] = i
    batch.columns[1][2 * i + 1] = -i
    batch.columns[2][i] = b === null ? 0 : dictionary.intern(b)
    batch.differences[i] = 1
  })
  return batch
}

function rowsOf(batch: Batch, dictionary: Dictionary): Row[] {
  const text = (id: number): string | null => (id === 0 ? null : dictionary.get(id))
  return Array.from({ length: batch.n }, (_, i) => [text(batch.columns[0][i]), text(batch.columns[2][i])])
}

/** The frames that rows become, as an exchange makes them. */
function framesOf(sender: StringSender, rows: readonly Row[], dictionary: Dictionary): Frame[] {
  const frames: Frame[] = []
  for (let from = 0; from < rows.length; ) {
    const whole = batchOf(rows, dictionary)
    const end = sender.collect(whole, INTERNED, from)
    const batch = batchOf(rows.slice(from, end), dictionary)
    const epoch = sender.number(batch, INTERNED)
    const { ids, strings } = sender
    frames.push({
      kind: 'frame',
      generation: 1,
      dataflow: 0,
      target: 0,
      from: 0,
      time: 7,
      depth: 0,
      times: null,
      batch,
      interned: INTERNED,
      epoch,
      ids,
      strings,
    })
    from = end
  }
  return frames
}

/** Both ends of a channel, with the strings that each of them still needs for something else. */
class Channel {
  readonly near = new Dictionary()
  readonly far = new Dictionary()
  readonly sender: StringSender
  readonly receiver = new StringReceiver(this.far)
  readonly encoder = new WireEncoder(true)
  readonly decoder = new WireDecoder()
  /** On their way, in order; and what arrived and waits. */
  private readonly link: { readonly bytes: Uint8Array; readonly rows: readonly Row[] }[] = []
  private readonly arrived: { readonly batch: Batch; readonly rows: readonly Row[] }[] = []
  sent = 0

  constructor(protocol: number) {
    this.sender = new StringSender(this.near, protocol >= 2)
  }

  send(rows: readonly Row[]): void {
    let from = 0
    for (const frame of framesOf(this.sender, rows, this.near)) {
      const part = rows.slice(from, from + frame.batch.n)
      from += part.length
      this.sent += frame.strings.length
      this.link.push({ bytes: this.encoder.encode(frame).slice(), rows: part })
    }
    expect(from).toBe(rows.length)
  }

  receive(): void {
    const first = this.link.shift()
    if (first === undefined) return
    const frame = this.decoder.read(first.bytes) as Frame
    this.receiver.translate(frame)
    this.arrived.push({ batch: frame.batch, rows: first.rows })
  }

  /** The receiver does something with what arrived. */
  take(): void {
    for (const { batch, rows } of this.arrived.splice(0)) {
      expect(rowsOf(batch, this.far)).toEqual(rows)
      batch.release()
    }
  }

  sweepNear(kept: readonly string[]): void {
    this.near.beginMark()
    for (const s of kept) this.near.mark(Math.max(0, this.near.find(s)))
    this.near.sweep()
  }

  sweepFar(): void {
    this.far.beginMark()
    this.receiver.markDictionary(this.far)
    for (const { batch } of this.arrived) for (const c of INTERNED) for (let i = 0; i < batch.n; i++) this.far.mark(batch.columns[c][i])
    this.far.sweep()
  }
}

const words = ['a', 'b', 'c', 'd', 'a key that is longer', 'another key that is longer', 'ü', '日本', 'x'.repeat(300), 'z']
const word = fc.oneof(fc.constantFrom(...words), fc.constant(null))
const rows = fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 6 })
const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const), rows }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('receive' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep near' as const), kept: fc.subarray(words) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep far' as const) }) },
)

describe.each([1, 2])('protocol %i', (protocol) => {
  test('strings arrive as they were, through sweeps of both dictionaries and ids used again', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 60 }), (actions) => {
        const channel = new Channel(protocol)
        for (const step of actions) {
          if (step.kind === 'send') channel.send(step.rows)
          else if (step.kind === 'receive') channel.receive()
          else if (step.kind === 'take') channel.take()
          else if (step.kind === 'sweep near') channel.sweepNear(step.kept)
          else channel.sweepFar()
        }
        for (let i = 0; i < actions.length; i++) channel.receive()
        channel.sweepFar()
        channel.take()
      }),
      { numRuns: 1000 },
    )
  })

  test('rows of long strings become several frames', () => {
    const channel = new Channel(protocol)
    const length = Math.floor(FRAME_STRING_BYTES / 5)
    const long: Row[] = Array.from({ length: 40 }, (_, i) => [`${i}`.padEnd(length / 2, 'x'), i % 3 === 0 ? null : `${i % 7}`])
    const frames = framesOf(channel.sender, long, channel.near)
    expect(frames.length).toBeGreaterThan(8)
    for (const frame of frames) expect(channel.encoder.measure(frame)).toBeLessThanOrEqual(MAXIMUM_WIRE_BYTES)
    const other = new Channel(protocol)
    other.send(long)
    for (let i = 0; i < frames.length; i++) other.receive()
    other.take()
  })

  test('a row too long for a frame goes whole', () => {
    const channel = new Channel(protocol)
    const huge = 'y'.repeat(MAXIMUM_WIRE_BYTES)
    channel.send([
      ['a', 'b'],
      [huge, 'b'],
      ['c', huge],
    ])
    for (let i = 0; i < 3; i++) channel.receive()
    channel.take()
  })
})

test('a string is told once, until the next sweep', () => {
  const channel = new Channel(2)
  channel.send([['a', 'b']])
  channel.send([['a', 'c']])
  expect(channel.sent).toBe(3)
  channel.sweepNear(['a', 'b', 'c'])
  channel.send([['a', 'b']])
  expect(channel.sent).toBe(5)
  const older = new Channel(1)
  older.send([['a', 'a']])
  older.send([['a', 'b']])
  expect(older.sent).toBe(3)
})

test('what the receiver keeps is bounded by what the sender has in use', () => {
  const channel = new Channel(2)
  for (let round = 0; round < 200; round++) {
    channel.send(Array.from({ length: 50 }, (_, i) => [`${round}/${i}`, null] as const))
    channel.receive()
    channel.take()
    channel.sweepNear([])
    channel.sweepFar()
  }
  expect(channel.far.live).toBeLessThanOrEqual(50)
  expect(channel.near.live).toBe(0)
})

test('ids that were never told are refused', () => {
  const dictionary = new Dictionary()
  const receiver = new StringReceiver(dictionary)
  const frame = (epoch: number, id: number, ids: number[], strings: string[]): Frame => {
    const batch = pool.take(7, 1)
    batch.n = 1
    batch.columns[0][0] = id
    batch.columns[2][0] = 0
    const head = { kind: 'frame', generation: 1, dataflow: 0, target: 0, from: 0, time: 7, depth: 0, times: null } as const
    return { ...head, batch, interned: INTERNED, epoch, ids, strings }
  }
  receiver.translate(frame(0, 5, [5], ['five']))
  for (const [epoch, id, ids, strings] of [
    [0, 6, [], []],
    [0, 1 << 27, [], []],
    [0, -5, [], []],
    [1, 5, [], []],
    [-1, 2, [], ['one']],
    [-1, 5, [], []],
    [0, 0, [0], ['nobody']],
    [0, 0, [1 << 28], ['nobody']],
    [0, 0, [-1], ['nobody']],
  ] as const)
    expect(() => receiver.translate(frame(epoch, id, [...ids], [...strings]))).toThrow(/never told/)
})
