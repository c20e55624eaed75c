/**
 * Progress messages (`progress-message.ts`) as bytes. Nearly all numbers in them are small, and times lie close together: a
 * varint each, times as differences from the one before. An idle tick of four locations takes some 50 bytes.
 */
import { invariant } from '../error.ts'
import { type ByteSink, type ByteSource, malformed } from './wire-bytes.ts'

const GROUP_HEADER = 4
/** Loop coordinates of a time. */
const MAXIMUM_DEPTH = 3

export function writeProgress(changes: Float64Array, sink: ByteSink): void {
  let groups = 0
  for (let at = 0; at < changes.length; at += GROUP_HEADER + changes[at + 3] * (2 + changes[at + 2])) groups++
  sink.varint(groups)
  let before = 0
  for (let at = 0; at < changes.length; ) {
    const depth = changes[at + 2]
    const count = changes[at + 3]
    sink.varint(changes[at] * (MAXIMUM_DEPTH + 1) + depth)
    sink.varint(changes[at + 1])
    sink.varint(count)
    at += GROUP_HEADER
    for (let i = 0; i < count; i++) {
      sink.signed(changes[at++])
      const outer = changes[at++]
      invariant(Number.isSafeInteger(outer), 'a time in a progress message is a whole number')
      sink.signed(outer - before)
      before = outer
      for (let level = 0; level < depth; level++) sink.varint(changes[at++])
    }
  }
}

/** @throws MillraceError PROTOCOL */
export function readProgress(source: ByteSource): Float64Array {
  const values: number[] = []
  const groups = source.varint()
  if (groups > source.left) throw malformed('a progress message has more groups than bytes')
  let before = 0
  for (let group = 0; group < groups; group++) {
    const head = source.varint()
    const depth = head % (MAXIMUM_DEPTH + 1)
    const location = source.varint()
    const count = source.varint()
    if (count > source.left) throw malformed('a progress message has more changes than bytes')
    values.push((head - depth) / (MAXIMUM_DEPTH + 1), location, depth, count)
    for (let i = 0; i < count; i++) {
      const delta = source.signed()
      before += source.signed()
      if (!Number.isSafeInteger(before)) throw malformed('a time is too large')
      values.push(delta, before)
      for (let level = 0; level < depth; level++) values.push(source.varint())
    }
  }
  return Float64Array.from(values)
}
