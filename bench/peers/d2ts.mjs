// @electric-sql/d2ts: differential dataflow with versions, frontiers and iterate. Not here: `reach`, for as
// published its iterate gives wrong output or throws once edges change.
import { count, D2, filter, join as joinWith, MessageType, MultiSet, map, output, reduce } from '@electric-sql/d2ts'
import { emitWide, fnv1a } from '../../dist/bench/sink.js'
import { batch } from './batch.mjs'

const into = (fold) =>
  output((message) => {
    if (message.type !== MessageType.DATA) return
    for (const [row, multiplicity] of message.data.collection.getInner()) fold(row, multiplicity)
  })

function oneInput(build, row) {
  const graph = new D2({ initialFrontier: 0 })
  const input = graph.newInput()
  build(input)
  graph.finalize()
  let time = 0
  return (...ranges) => {
    input.sendData(time, new MultiSet(batch(row, ...ranges)))
    input.sendFrontier(++time)
    graph.run()
  }
}

// Its count() emits (key, 0) for a key whose rows all went away.
const present = () => filter(([, n]) => n > 0)

export function degrees({ src, dst }, sink) {
  const build = (input) =>
    input.pipe(
      map(([node]) => [node, null]),
      count(),
      present(),
      map(([, degree]) => [degree, null]),
      count(),
      present(),
      into(([degree, n], multiplicity) => sink.emit(degree, n, multiplicity)),
    )
  return oneInput(build, (i) => [src[i], dst[i]])
}

export function words({ word }, sink) {
  const build = (input) =>
    input.pipe(
      map((w) => [w, null]),
      count(),
      present(),
      into(([w, n], multiplicity) => sink.emit(fnv1a(w), n, multiplicity)),
    )
  return oneInput(build, (i) => word[i])
}

function twoInputs(rowOfA, rowOfB, fold) {
  const graph = new D2({ initialFrontier: 0 })
  const a = graph.newInput()
  const b = graph.newInput()
  a.pipe(joinWith(b, 'inner'), into(fold))
  graph.finalize()
  let time = 0
  return (...ranges) => {
    a.sendData(time, new MultiSet(batch(rowOfA, ...ranges)))
    b.sendData(time, new MultiSet(batch(rowOfB, ...ranges)))
    time++
    a.sendFrontier(time)
    b.sendFrontier(time)
    graph.run()
  }
}

export function join({ a, b }, sink) {
  return twoInputs(
    (i) => [a.k[i], a.v[i]],
    (i) => [b.k[i], b.v[i]],
    ([, [x, y]], multiplicity) => sink.emit(x, y, multiplicity),
  )
}

export function wide({ a, b }, sink) {
  const rowOf = (side) => (i) => [side.k[i], { x: side.x[i], s: side.s[i], f: side.f[i], t: side.t[i] }]
  return twoInputs(rowOf(a), rowOf(b), ([, [x, y]], multiplicity) => emitWide(sink, x.x, y.s, x.f, y.t, multiplicity))
}

// Its topK() keeps the first k *distinct* values with all their multiplicity; this keeps k rows.
function top3(values) {
  const counts = new Map()
  for (const [value, n] of values) counts.set(value, (counts.get(value) ?? 0) + n)
  const live = [...counts].filter(([, n]) => n > 0).sort(([x], [y]) => y - x)
  const top = []
  let left = 3
  for (const [value, n] of live) {
    if (left <= 0) break
    top.push([value, Math.min(left, n)])
    left -= n
  }
  return top
}

export function topk({ k, v }, sink) {
  const build = (input) =>
    input.pipe(
      reduce(top3),
      into(([key, value], multiplicity) => sink.emit(key, value, multiplicity)),
    )
  return oneInput(build, (i) => [k[i], v[i]])
}
