/** The workloads as jobs, written as a user would write them; and what a runner must know of them to feed them and fold what they say. */
import {
  type ColumnChanges,
  count,
  float64,
  type InputDefinitions,
  int32,
  int64,
  type Job,
  job,
  nullable,
  type OutputDefinitions,
  type RowChanges,
  table,
  text,
  timestamp,
} from '../millrace.ts'
import { emitWide, fnv1a, fnv1aCached, type Sink } from './sink.ts'
import type { Streams, WideStream, Workload } from './workloads.ts'

export type Column = Int32Array | BigInt64Array | (string | number | null)[]

/** Where an input's rows come from. */
export interface JobInput {
  readonly name: string
  readonly columns: Readonly<Record<string, Column>>
  readonly rowAt: (i: number) => object
}

/** A workload's job; its output is `out`. */
export interface WorkloadJob {
  readonly job: Job<InputDefinitions, OutputDefinitions>
  readonly inputs: readonly JobInput[]
  /** Rows that are there from the start, by input. */
  readonly initial: Readonly<Record<string, readonly object[]>>
  readonly foldColumns: (sink: Sink) => (changes: ColumnChanges) => void
  readonly foldRows: (sink: Sink) => (changes: RowChanges<never>) => void
}

type JobOf<W extends Workload> = (streams: Streams[W]) => WorkloadJob

export const workloadJobs: { readonly [W in Workload]: JobOf<W> } = {
  degrees: ({ src, dst }) => ({
    job: general(
      job('degrees', { edges: table({ src: int32, dst: int32 }) }, ({ edges }) => ({
        out: edges
          .groupBy('src')
          .aggregate(() => ({ d: count() }))
          .groupBy('d')
          .aggregate(() => ({ n: count() }))
          .changelog(),
      })),
    ),
    inputs: [{ name: 'edges', columns: { src, dst }, rowAt: (i) => ({ src: src[i], dst: dst[i] }) }],
    initial: {},
    foldColumns:
      (sink) =>
      ({ n, words: { d, n: counts }, differences }) => {
        for (let i = 0; i < n; i++) sink.emit(d[2 * i], counts[2 * i], differences[i])
      },
    foldRows: (sink) => rows<{ d: bigint; n: bigint }>((row, diff) => sink.emit(Number(row.d), Number(row.n), diff)),
  }),

  words: ({ word }) => ({
    job: general(
      job('words', { words: table({ word: text }) }, (inputs) => ({
        out: inputs.words
          .groupBy('word')
          .aggregate(() => ({ n: count() }))
          .changelog(),
      })),
    ),
    inputs: [{ name: 'words', columns: { word }, rowAt: (i) => ({ word: word[i] }) }],
    initial: {},
    foldColumns:
      (sink) =>
      ({ n, words: { word: ids, n: counts }, differences, dictionary }) => {
        for (let i = 0; i < n; i++) sink.emit(fnv1a(dictionary.get(ids[i])), counts[2 * i], differences[i])
      },
    foldRows: (sink) => rows<{ word: string; n: bigint }>((row, diff) => sink.emit(fnv1a(row.word), Number(row.n), diff)),
  }),

  join: ({ a, b }) => ({
    job: general(
      job('join', { a: table({ k: int32, v: int32 }), b: table({ k: int32, v: int32 }) }, (inputs) => ({
        out: inputs.a.join(inputs.b, 'k', (x, y) => ({ a: x.v, b: y.v })).changelog(),
      })),
    ),
    inputs: [
      { name: 'a', columns: { k: a.k, v: a.v }, rowAt: (i) => ({ k: a.k[i], v: a.v[i] }) },
      { name: 'b', columns: { k: b.k, v: b.v }, rowAt: (i) => ({ k: b.k[i], v: b.v[i] }) },
    ],
    initial: {},
    foldColumns:
      (sink) =>
      ({ n, words: { a: left, b: right }, differences }) => {
        for (let i = 0; i < n; i++) sink.emit(left[i], right[i], differences[i])
      },
    foldRows: (sink) => rows<{ a: number; b: number }>((row, diff) => sink.emit(row.a, row.b, diff)),
  }),

  topk: ({ k, v }) => ({
    job: general(
      job('topk', { pairs: table({ k: int32, v: int32 }) }, ({ pairs }) => ({
        out: pairs
          .groupBy('k')
          .topK(3, (pair) => pair.v.desc())
          .changelog(),
      })),
    ),
    inputs: [{ name: 'pairs', columns: { k, v }, rowAt: (i) => ({ k: k[i], v: v[i] }) }],
    initial: {},
    foldColumns:
      (sink) =>
      ({ n, words: { k: keys, v: values }, differences }) => {
        for (let i = 0; i < n; i++) sink.emit(keys[i], values[i], differences[i])
      },
    foldRows: (sink) => rows<{ k: number; v: number }>((row, diff) => sink.emit(row.k, row.v, diff)),
  }),

  reach: ({ src, dst }) => ({
    job: general(
      job('reach', { roots: table({ node: int32 }), edges: table({ src: int32, dst: int32 }) }, ({ roots, edges }) => ({
        out: roots
          .iterate((reached, enter) =>
            enter(edges)
              .join(reached, { src: 'node' }, (edge) => ({ node: edge.dst }))
              .concat(enter(roots))
              .distinct(),
          )
          .changelog(),
      })),
    ),
    inputs: [{ name: 'edges', columns: { src, dst }, rowAt: (i) => ({ src: src[i], dst: dst[i] }) }],
    initial: { roots: [{ node: 0 }] },
    foldColumns:
      (sink) =>
      ({ n, words: { node }, differences }) => {
        for (let i = 0; i < n; i++) sink.emit(node[i], 0, differences[i])
      },
    foldRows: (sink) => rows<{ node: number }>((row, diff) => sink.emit(row.node, 0, diff)),
  }),

  wide: ({ a, b }) => {
    const columns = { k: text, x: int64, s: text, f: nullable(float64), t: timestamp }
    const input = (name: string, side: WideStream): JobInput => ({
      name,
      columns: { k: side.k, x: side.x, s: side.s, f: side.f, t: side.t },
      rowAt: (i) => ({ k: side.k[i], x: side.x[i], s: side.s[i], f: side.f[i], t: side.t[i] }),
    })
    return {
      job: general(
        job('wide', { a: table(columns), b: table(columns) }, (inputs) => ({
          out: inputs.a.join(inputs.b, 'k', (mine, theirs) => ({ x: mine.x, s: theirs.s, f: mine.f, t: theirs.t })).changelog(),
        })),
      ),
      inputs: [input('a', a), input('b', b)],
      initial: {},
      foldColumns: wideFolder,
      foldRows: (sink) =>
        rows<{ x: bigint; s: string; f: number | null; t: bigint }>((row, diff) => emitWide(sink, row.x, row.s, row.f, row.t, diff)),
    }
  },
}

/** A runner knows a job by its inputs' names only. */
function general<I extends InputDefinitions, O extends OutputDefinitions>(one: Job<I, O>): Job<InputDefinitions, OutputDefinitions> {
  return one as unknown as Job<InputDefinitions, OutputDefinitions>
}

function rows<R>(emit: (row: R, diff: number) => void): (changes: RowChanges<never>) => void {
  return ({ changes }) => {
    for (const { row, diff } of changes) emit(row as R, diff)
  }
}

/** Works on the words of int64 and timestamp, and hashes a string once while its id stands for it. */
function wideFolder(sink: Sink): (changes: ColumnChanges) => void {
  let hashOfId: number[] = []
  let sweeps = 0
  return ({ n, columns, words: { x, s, t }, differences, dictionary }) => {
    if (sweeps !== dictionary.sweeps) {
      hashOfId = []
      sweeps = dictionary.sweeps
    }
    const f = columns.f as Float64Array
    for (let i = 0; i < n; i++) {
      const id = s[i]
      while (hashOfId.length <= id) hashOfId.push(-1)
      let hash = hashOfId[id]
      if (hash < 0) {
        hash = fnv1aCached(dictionary.get(id))
        hashOfId[id] = hash
      }
      // A null in a column of floats is a NaN, and the stream has no other.
      const scaled = Number.isNaN(f[i]) ? 0 : f[i] * 65536
      sink.emit((x[2 * i] ^ scaled) >>> 0, (x[2 * i + 1] ^ hash ^ t[2 * i]) >>> 0, differences[i])
    }
  }
}
