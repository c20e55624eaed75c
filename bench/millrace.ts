/** The workloads on Millrace, written as a user would write them: against the public package only. */
import { type ColumnChanges, count, embed, float64, int32, int64, job, nullable, table, text, timestamp } from '../millrace.ts'
import type { Engine, Step } from './runner.ts'
import { emitWide, fnv1a, fnv1aCached, type Sink } from './sink.ts'
import type { EdgeStream, PairStream, TwoSided, WideStream, WordStream } from './workloads.ts'

export interface Forms {
  /** How rows enter: as row objects, or as columns. */
  readonly input: 'rows' | 'columns'
  /** How changes leave: as columns, or as row objects. */
  readonly output: 'columns' | 'rows'
}

export function millrace(forms: Forms): Engine {
  return {
    degrees: (stream, sink) => degrees(stream, sink, forms),
    join: (streams, sink) => join(streams, sink, forms),
    reach: (stream, sink) => reach(stream, sink, forms),
    topk: (stream, sink) => topk(stream, sink, forms),
    words: (stream, sink) => words(stream, sink, forms),
    wide: (streams, sink) => wide(streams, sink, forms),
  }
}

/** Rows a call: a million in one call are slower to build and to take than slices. */
const SLICE = 1000

/** Logical times: the first commit is at 0, each later one at the next. */
const clock = (): number => 0

interface Input<R extends object> {
  insertMany(rows: readonly R[]): void
  removeMany(rows: readonly R[]): void
  insertColumns(columns: { readonly [N in keyof R]: ArrayLike<unknown> }): void
  removeColumns(columns: { readonly [N in keyof R]: ArrayLike<unknown> }): void
}

type Column = Int32Array | BigInt64Array | (string | number | null)[]

/** Feeds an input from a stream, as rows that `rowAt` makes or as slices of its columns. */
function feeder<R extends object>(
  input: Input<R>,
  stream: { readonly [N in keyof R]: Column },
  rowAt: (i: number) => R,
  forms: Forms,
): Step {
  if (forms.input === 'columns') {
    const cut = (from: number, to: number): { [N in keyof R]: ArrayLike<unknown> } => {
      const entries = Object.entries<Column>(stream)
      return Object.fromEntries(entries.map(([name, column]) => [name, slice(column, from, to)])) as { [N in keyof R]: ArrayLike<unknown> }
    }
    return (addFrom, addTo, removeFrom, removeTo) => {
      input.insertColumns(cut(addFrom, addTo))
      if (removeTo > removeFrom) input.removeColumns(cut(removeFrom, removeTo))
    }
  }
  const rows = (from: number, to: number): R[] => {
    const made: R[] = []
    for (let i = from; i < to; i++) made.push(rowAt(i))
    return made
  }
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i += SLICE) input.insertMany(rows(i, Math.min(addTo, i + SLICE)))
    for (let i = removeFrom; i < removeTo; i += SLICE) input.removeMany(rows(i, Math.min(removeTo, i + SLICE)))
  }
}

function slice(column: Column, from: number, to: number): ArrayLike<unknown> {
  return Array.isArray(column) ? column.slice(from, to) : column.subarray(from, to)
}

function degrees(stream: EdgeStream, sink: Sink, forms: Forms): Step {
  const degreeCounts = job('degrees', { edges: table({ src: int32, dst: int32 }) }, ({ edges }) => ({
    out: edges
      .groupBy('src')
      .aggregate(() => ({ d: count() }))
      .groupBy('d')
      .aggregate(() => ({ n: count() }))
      .changelog(),
  }))
  const app = embed(degreeCounts, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') {
    out.subscribeColumns(({ n, words: { d, n: counts }, differences }) => {
      for (let i = 0; i < n; i++) sink.emit(d[2 * i], counts[2 * i], differences[i])
    })
  } else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) sink.emit(Number(row.d), Number(row.n), diff)
    })
  }
  const feed = feeder(app.inputs.edges, { src: stream.src, dst: stream.dst }, (i) => ({ src: stream.src[i], dst: stream.dst[i] }), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feed(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

function words(stream: WordStream, sink: Sink, forms: Forms): Step {
  const wordCounts = job('words', { words: table({ word: text }) }, (inputs) => ({
    out: inputs.words
      .groupBy('word')
      .aggregate(() => ({ n: count() }))
      .changelog(),
  }))
  const app = embed(wordCounts, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') {
    out.subscribeColumns(({ n, words: { word, n: counts }, differences, dictionary }) => {
      for (let i = 0; i < n; i++) sink.emit(fnv1a(dictionary.get(word[i])), counts[2 * i], differences[i])
    })
  } else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) sink.emit(fnv1a(row.word), Number(row.n), diff)
    })
  }
  const feed = feeder(app.inputs.words, { word: stream.word }, (i) => ({ word: stream.word[i] }), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feed(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

function join({ a, b }: TwoSided<PairStream>, sink: Sink, forms: Forms): Step {
  const pairs = job('join', { a: table({ k: int32, v: int32 }), b: table({ k: int32, v: int32 }) }, (inputs) => ({
    out: inputs.a.join(inputs.b, 'k', (x, y) => ({ a: x.v, b: y.v })).changelog(),
  }))
  const app = embed(pairs, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') {
    out.subscribeColumns(({ n, words: { a, b }, differences }) => {
      for (let i = 0; i < n; i++) sink.emit(a[i], b[i], differences[i])
    })
  } else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) sink.emit(row.a, row.b, diff)
    })
  }
  const feedA = feeder(app.inputs.a, { k: a.k, v: a.v }, (i) => ({ k: a.k[i], v: a.v[i] }), forms)
  const feedB = feeder(app.inputs.b, { k: b.k, v: b.v }, (i) => ({ k: b.k[i], v: b.v[i] }), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feedA(addFrom, addTo, removeFrom, removeTo)
    feedB(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

function topk(stream: PairStream, sink: Sink, forms: Forms): Step {
  const largest = job('topk', { pairs: table({ k: int32, v: int32 }) }, ({ pairs }) => ({
    out: pairs
      .groupBy('k')
      .topK(3, (pair) => pair.v.desc())
      .changelog(),
  }))
  const app = embed(largest, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') {
    out.subscribeColumns(({ n, words: { k, v }, differences }) => {
      for (let i = 0; i < n; i++) sink.emit(k[i], v[i], differences[i])
    })
  } else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) sink.emit(row.k, row.v, diff)
    })
  }
  const feed = feeder(app.inputs.pairs, { k: stream.k, v: stream.v }, (i) => ({ k: stream.k[i], v: stream.v[i] }), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feed(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

function reach(stream: EdgeStream, sink: Sink, forms: Forms): Step {
  const reachable = job('reach', { roots: table({ node: int32 }), edges: table({ src: int32, dst: int32 }) }, ({ roots, edges }) => ({
    out: roots
      .iterate((reached, enter) =>
        enter(edges)
          .join(reached, { src: 'node' }, (edge) => ({ node: edge.dst }))
          .concat(enter(roots))
          .distinct(),
      )
      .changelog(),
  }))
  const app = embed(reachable, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') {
    out.subscribeColumns(({ n, words: { node }, differences }) => {
      for (let i = 0; i < n; i++) sink.emit(node[i], 0, differences[i])
    })
  } else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) sink.emit(row.node, 0, diff)
    })
  }
  app.inputs.roots.insert({ node: 0 })
  const feed = feeder(app.inputs.edges, { src: stream.src, dst: stream.dst }, (i) => ({ src: stream.src[i], dst: stream.dst[i] }), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feed(addFrom, addTo, removeFrom, removeTo)
    app.commit()
  }
}

function wide({ a, b }: TwoSided<WideStream>, sink: Sink, forms: Forms): Step {
  const columns = { k: text, x: int64, s: text, f: nullable(float64), t: timestamp }
  const pairs = job('wide', { a: table(columns), b: table(columns) }, (inputs) => ({
    out: inputs.a.join(inputs.b, 'k', (mine, theirs) => ({ x: mine.x, s: theirs.s, f: mine.f, t: theirs.t })).changelog(),
  }))
  const app = embed(pairs, { clock })
  const { out } = app.outputs
  if (forms.output === 'columns') out.subscribeColumns(wideFolder(sink))
  else {
    out.subscribe(({ changes }) => {
      for (const { row, diff } of changes) emitWide(sink, row.x, row.s, row.f, row.t, diff)
    })
  }
  const rowOf = (side: WideStream) => (i: number) => ({ k: side.k[i], x: side.x[i], s: side.s[i], f: side.f[i], t: side.t[i] })
  const feedA = feeder(app.inputs.a, { k: a.k, x: a.x, s: a.s, f: a.f, t: a.t }, rowOf(a), forms)
  const feedB = feeder(app.inputs.b, { k: b.k, x: b.x, s: b.s, f: b.f, t: b.t }, rowOf(b), forms)
  return (addFrom, addTo, removeFrom, removeTo) => {
    feedA(addFrom, addTo, removeFrom, removeTo)
    feedB(addFrom, addTo, removeFrom, removeTo)
    app.commit()
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
