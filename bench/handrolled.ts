/** What a good engineer would write by hand for exactly these workloads, on plain Maps: the yardstick, and the judge. */
import type { Engine, Step } from './runner.ts'
import { emitWide, fnv1a, type Sink } from './sink.ts'
import type { EdgeStream, PairStream, Parameters, TwoSided, WideStream, WordStream } from './workloads.ts'

/** Counts with, for what changed in this round, the counts before it. */
class Counts<K> {
  private readonly counts = new Map<K, number>()
  private readonly before = new Map<K, number>()

  add(key: K, by: number): void {
    const n = this.counts.get(key) ?? 0
    if (!this.before.has(key)) this.before.set(key, n)
    if (n + by === 0) this.counts.delete(key)
    else this.counts.set(key, n + by)
  }

  flush(change: (key: K, count: number, multiplicity: number) => void): void {
    for (const [key, was] of this.before) {
      const now = this.counts.get(key) ?? 0
      if (now === was) continue
      if (was > 0) change(key, was, -1)
      if (now > 0) change(key, now, 1)
    }
    this.before.clear()
  }
}

function degrees({ src }: EdgeStream, sink: Sink): Step {
  const degreeOf = new Map<number, number>()
  const nodes = new Counts<number>()
  const move = (node: number, by: number): void => {
    const degree = degreeOf.get(node) ?? 0
    if (degree > 0) nodes.add(degree, -1)
    if (degree + by > 0) {
      degreeOf.set(node, degree + by)
      nodes.add(degree + by, 1)
    } else degreeOf.delete(node)
  }
  const emit = (degree: number, n: number, multiplicity: number): void => sink.emit(degree, n, multiplicity)
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i++) move(src[i] as number, 1)
    for (let i = removeFrom; i < removeTo; i++) move(src[i] as number, -1)
    nodes.flush(emit)
  }
}

function words({ word }: WordStream, sink: Sink): Step {
  const counts = new Counts<string>()
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i++) counts.add(word[i] as string, 1)
    for (let i = removeFrom; i < removeTo; i++) counts.add(word[i] as string, -1)
    counts.flush((w, n, multiplicity) => sink.emit(fnv1a(w), n, multiplicity))
  }
}

/** An array for each key, unordered. */
class Lists<K> {
  private readonly lists = new Map<K, number[]>()

  get(key: K): readonly number[] {
    return this.lists.get(key) ?? NONE
  }

  add(key: K, value: number): void {
    const list = this.lists.get(key)
    if (list === undefined) this.lists.set(key, [value])
    else list.push(value)
  }

  remove(key: K, value: number): void {
    const list = this.lists.get(key) as number[]
    const at = list.indexOf(value)
    const last = list.pop() as number
    if (at < list.length) list[at] = last
    else if (list.length === 0) this.lists.delete(key)
  }
}

const NONE: readonly number[] = []

function join({ a, b }: TwoSided<PairStream>, sink: Sink): Step {
  const as = new Lists<number>()
  const bs = new Lists<number>()
  return (addFrom, addTo, removeFrom, removeTo) => {
    const changeA = (i: number, multiplicity: number): void => {
      const list = bs.get(a.k[i] as number)
      for (let j = 0; j < list.length; j++) sink.emit(a.v[i] as number, list[j] as number, multiplicity)
    }
    const changeB = (i: number, multiplicity: number): void => {
      const list = as.get(b.k[i] as number)
      for (let j = 0; j < list.length; j++) sink.emit(list[j] as number, b.v[i] as number, multiplicity)
    }
    for (let i = addFrom; i < addTo; i++) {
      as.add(a.k[i] as number, a.v[i] as number)
      changeA(i, 1)
    }
    for (let i = removeFrom; i < removeTo; i++) {
      as.remove(a.k[i] as number, a.v[i] as number)
      changeA(i, -1)
    }
    for (let i = addFrom; i < addTo; i++) {
      bs.add(b.k[i] as number, b.v[i] as number)
      changeB(i, 1)
    }
    for (let i = removeFrom; i < removeTo; i++) {
      bs.remove(b.k[i] as number, b.v[i] as number)
      changeB(i, -1)
    }
  }
}

function wide({ a, b }: TwoSided<WideStream>, sink: Sink): Step {
  const as = new Lists<string>()
  const bs = new Lists<string>()
  const out = (i: number, j: number, multiplicity: number): void =>
    emitWide(sink, a.x[i] as bigint, b.s[j] as string, a.f[i] as number | null, b.t[j] as bigint, multiplicity)
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i++) {
      as.add(a.k[i] as string, i)
      for (const j of bs.get(a.k[i] as string)) out(i, j, 1)
    }
    for (let i = removeFrom; i < removeTo; i++) {
      as.remove(a.k[i] as string, i)
      for (const j of bs.get(a.k[i] as string)) out(i, j, -1)
    }
    for (let j = addFrom; j < addTo; j++) {
      bs.add(b.k[j] as string, j)
      for (const i of as.get(b.k[j] as string)) out(i, j, 1)
    }
    for (let j = removeFrom; j < removeTo; j++) {
      bs.remove(b.k[j] as string, j)
      for (const i of as.get(b.k[j] as string)) out(i, j, -1)
    }
  }
}

/** Not incremental: the adjacency is maintained, the search runs from scratch in every round. */
function reach({ src, dst }: EdgeStream, sink: Sink, { keys: nodes }: Parameters): Step {
  const out = new Lists<number>()
  const queue = new Int32Array(nodes)
  let seen = new Uint8Array(nodes)
  let before = new Uint8Array(nodes)
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i++) out.add(src[i] as number, dst[i] as number)
    for (let i = removeFrom; i < removeTo; i++) out.remove(src[i] as number, dst[i] as number)
    const spare = before
    before = seen
    seen = spare
    seen.fill(0)
    seen[0] = 1
    queue[0] = 0
    for (let head = 0, tail = 1; head < tail; head++) {
      for (const node of out.get(queue[head] as number)) {
        if (seen[node] === 1) continue
        seen[node] = 1
        queue[tail++] = node
      }
    }
    for (let node = 0; node < nodes; node++) {
      const change = (seen[node] as number) - (before[node] as number)
      if (change !== 0) sink.emit(node, 0, change)
    }
  }
}

const TOP = 3

function topk({ k, v }: PairStream, sink: Sink): Step {
  /** Per key its values, descending. */
  const groups = new Map<number, number[]>()
  const before = new Map<number, number[]>()
  const touch = (key: number): number[] => {
    let values = groups.get(key)
    if (values === undefined) {
      values = []
      groups.set(key, values)
    }
    if (!before.has(key)) before.set(key, values.slice(0, TOP))
    return values
  }
  return (addFrom, addTo, removeFrom, removeTo) => {
    for (let i = addFrom; i < addTo; i++) {
      const values = touch(k[i] as number)
      values.splice(rank(values, v[i] as number), 0, v[i] as number)
    }
    for (let i = removeFrom; i < removeTo; i++) {
      const values = touch(k[i] as number)
      values.splice(rank(values, v[i] as number), 1)
    }
    for (const [key, was] of before) {
      const now = groups.get(key) as number[]
      emitDifference(key, was, now, sink)
      if (now.length === 0) groups.delete(key)
    }
    before.clear()
  }
}

/** The first place in descending values that holds at most `value`. */
function rank(values: readonly number[], value: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((values[middle] as number) > value) low = middle + 1
    else high = middle
  }
  return low
}

/** Merges two descending runs and emits what differs among the first three. */
function emitDifference(key: number, was: readonly number[], now: readonly number[], sink: Sink): void {
  const n = Math.min(TOP, now.length)
  let i = 0
  let j = 0
  while (i < was.length || j < n) {
    const old = i < was.length ? (was[i] as number) : -1
    const present = j < n ? (now[j] as number) : -1
    if (old >= present) i++
    if (present >= old) j++
    if (old > present) sink.emit(key, old, -1)
    else if (present > old) sink.emit(key, present, 1)
  }
}

export const handrolled: Engine = { degrees, join, reach, words, topk, wide }
