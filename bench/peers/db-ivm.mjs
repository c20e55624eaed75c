// @tanstack/db-ivm: the successor of d2ts, without versions or frontiers (so no iteration, hence no `reach`).
import { D2, groupedTopKWithFractionalIndex, join as joinWith, MultiSet, map, output, reduce } from '@tanstack/db-ivm'
import { emitWide, fnv1a } from '../../dist/bench/sink.js'
import { batch } from './batch.mjs'

const into = (fold) =>
  output((changes) => {
    for (const [row, multiplicity] of changes.getInner()) fold(row, multiplicity)
  })

function oneInput(build, row) {
  const graph = new D2()
  const input = graph.newInput()
  build(input)
  graph.finalize()
  return (...ranges) => {
    input.sendData(new MultiSet(batch(row, ...ranges)))
    graph.run()
  }
}

function twoInputs(rowOfA, rowOfB, fold) {
  const graph = new D2()
  const a = graph.newInput()
  const b = graph.newInput()
  a.pipe(joinWith(b, 'inner'), into(fold))
  graph.finalize()
  return (...ranges) => {
    a.sendData(new MultiSet(batch(rowOfA, ...ranges)))
    b.sendData(new MultiSet(batch(rowOfB, ...ranges)))
    graph.run()
  }
}

// There is no count operator; groupBy(count) is a reduce over serialised key objects, several times slower.
const count = () =>
  reduce((values) => {
    let n = 0
    for (const [, multiplicity] of values) n += multiplicity
    return n > 0 ? [[n, 1]] : []
  })

export function degrees({ src, dst }, sink) {
  const build = (input) =>
    input.pipe(
      map(([node]) => [node, null]),
      count(),
      map(([, degree]) => [degree, null]),
      count(),
      into(([degree, n], multiplicity) => sink.emit(degree, n, multiplicity)),
    )
  return oneInput(build, (i) => [src[i], dst[i]])
}

export function words({ word }, sink) {
  const build = (input) =>
    input.pipe(
      map((w) => [w, null]),
      count(),
      into(([w, n], multiplicity) => sink.emit(fnv1a(w), n, multiplicity)),
    )
  return oneInput(build, (i) => word[i])
}

// Its top-k is over rows with unique keys (set semantics), so the position in the stream is the key.
export function topk({ k, v }, sink) {
  const build = (input) =>
    input.pipe(
      groupedTopKWithFractionalIndex((x, y) => y.v - x.v, { limit: 3, groupKeyFn: (_id, row) => row.k }),
      into(([, [row]], multiplicity) => sink.emit(row.k, row.v, multiplicity)),
    )
  return oneInput(build, (i) => [i, { k: k[i], v: v[i] }])
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
