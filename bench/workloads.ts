/**
 * The six workloads of the benchmark protocol: what they are called with, and the streams of rows that they draw.
 * A stream is columns; its first `size` rows are the load, round r adds the next BATCH rows and removes the oldest BATCH.
 */
import { Xorshift } from './random.ts'

export interface Parameters {
  /** NODES, VOCAB or KEYS: how many different keys. */
  readonly keys: number
  /** Rows of the load, a side. */
  readonly rows: number
  readonly batch: number
  readonly rounds: number
}

export interface EdgeStream {
  readonly src: Int32Array
  readonly dst: Int32Array
}

export interface WordStream {
  readonly word: string[]
}

export interface PairStream {
  readonly k: Int32Array
  readonly v: Int32Array
}

export interface WideStream {
  readonly k: string[]
  readonly x: BigInt64Array
  readonly s: string[]
  readonly f: (number | null)[]
  readonly t: BigInt64Array
}

export interface TwoSided<S> {
  readonly a: S
  readonly b: S
}

export interface Streams {
  readonly degrees: EdgeStream
  readonly join: TwoSided<PairStream>
  readonly reach: EdgeStream
  readonly words: WordStream
  readonly topk: PairStream
  readonly wide: TwoSided<WideStream>
}

export type Workload = keyof Streams

interface Definition<S> {
  /** Names of the four arguments, for messages. */
  readonly names: readonly [string, string, string, string]
  /** Changes per batch row in a round: an insertion and a removal, for each side. */
  readonly changes: 2 | 4
  draw(parameters: Parameters, seed: number): S
}

const VALUES = 1_000_000

export const workloads: { readonly [W in Workload]: Definition<Streams[W]> } = {
  degrees: { names: ['NODES', 'EDGES', 'BATCH', 'ROUNDS'], changes: 2, draw: drawEdges },
  join: { names: ['NODES', 'EDGES', 'BATCH', 'ROUNDS'], changes: 4, draw: drawPairsOfBoth },
  reach: { names: ['NODES', 'EDGES', 'BATCH', 'ROUNDS'], changes: 2, draw: drawEdges },
  words: { names: ['VOCAB', 'WORDS', 'BATCH', 'ROUNDS'], changes: 2, draw: drawWords },
  topk: { names: ['KEYS', 'ROWS', 'BATCH', 'ROUNDS'], changes: 2, draw: drawPairs },
  wide: { names: ['KEYS', 'ROWS', 'BATCH', 'ROUNDS'], changes: 4, draw: drawWideOfBoth },
}

export function isWorkload(name: string): name is Workload {
  return Object.hasOwn(workloads, name)
}

const drawn = ({ rows, batch, rounds }: Parameters): number => rows + batch * rounds

function drawEdges(parameters: Parameters, seed: number): EdgeStream {
  const random = new Xorshift(seed)
  const n = drawn(parameters)
  const src = new Int32Array(n)
  const dst = new Int32Array(n)
  for (let i = 0; i < n; i++) {
    src[i] = random.next() % parameters.keys
    dst[i] = random.next() % parameters.keys
  }
  return { src, dst }
}

function drawWords(parameters: Parameters, seed: number): WordStream {
  const random = new Xorshift(seed)
  const word = new Array<string>(drawn(parameters))
  for (let i = 0; i < word.length; i++) word[i] = `w${random.next() % parameters.keys}`
  return { word }
}

function drawPairs(parameters: Parameters, seed: number): PairStream {
  const random = new Xorshift(seed)
  const n = drawn(parameters)
  const stream = { k: new Int32Array(n), v: new Int32Array(n) }
  for (let i = 0; i < n; i++) drawPair(random, parameters.keys, stream, i)
  return stream
}

function drawPair(random: Xorshift, keys: number, stream: PairStream, i: number): void {
  stream.k[i] = random.next() % keys
  stream.v[i] = random.next() % VALUES
}

/** Rows of two sides in the protocol's order: both loads, then in each round BATCH rows of A and BATCH rows of B. */
function drawBoth(parameters: Parameters, draw: (side: 'a' | 'b', i: number) => void): void {
  const { rows, batch, rounds } = parameters
  for (let i = 0; i < rows; i++) draw('a', i)
  for (let i = 0; i < rows; i++) draw('b', i)
  for (let round = 0, from = rows; round < rounds; round++, from += batch) {
    for (let i = from; i < from + batch; i++) draw('a', i)
    for (let i = from; i < from + batch; i++) draw('b', i)
  }
}

function drawPairsOfBoth(parameters: Parameters, seed: number): TwoSided<PairStream> {
  const random = new Xorshift(seed)
  const n = drawn(parameters)
  const side = (): PairStream => ({ k: new Int32Array(n), v: new Int32Array(n) })
  const streams = { a: side(), b: side() }
  drawBoth(parameters, (name, i) => drawPair(random, parameters.keys, streams[name], i))
  return streams
}

function drawWideOfBoth(parameters: Parameters, seed: number): TwoSided<WideStream> {
  const random = new Xorshift(seed)
  const n = drawn(parameters)
  const side = (): WideStream => ({
    k: new Array<string>(n),
    x: new BigInt64Array(n),
    s: new Array<string>(n),
    f: new Array<number | null>(n),
    t: new BigInt64Array(n),
  })
  const streams = { a: side(), b: side() }
  drawBoth(parameters, (name, i) => {
    const stream = streams[name]
    stream.k[i] = `k${random.next() % parameters.keys}`
    const high = random.next()
    const low = random.next()
    stream.x[i] = (BigInt(high | 0) << 32n) | BigInt(low)
    stream.s[i] = `s${random.next() % 1000}`
    const q = random.next()
    stream.f[i] = q % 10 === 0 ? null : q / 65536
    stream.t[i] = 1_600_000_000_000_000n + BigInt(random.next()) * 1000n
  })
  return streams
}
