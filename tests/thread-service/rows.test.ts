/** Rows on their way into threads and out of them. */
import { expect, test } from 'vitest'
import { array, bool, bytes, decimal, float64, int32, int64, job, json, nullable, table, text, timestamp } from '../../millrace.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import type { Feed, RowsRead } from '../../runtime/protocol/thread.ts'
import { started, tick } from './threads.ts'

const ALL_COLUMNS = {
  i: int32,
  l: int64,
  f: float64,
  b: bool,
  s: text,
  t: timestamp,
  d: decimal,
  y: bytes,
  j: json(),
  a: array(nullable(int64)),
  n: nullable(text),
}

test('rows of all types cross as messages, in and out', () => {
  const j = job('j', { t: table(ALL_COLUMNS) }, ({ t }) => ({ t: t.keyBy('i') }))
  const threads = started(j)
  const rows = [
    { i: 1, l: 5n, f: 0.5, b: true, s: 'a', t: 7n, d: '1.10', y: Uint8Array.of(0, 255), j: { a: [1, null] }, a: [1n, null], n: null },
    { i: 2, l: -(2n ** 63n), f: Number.NaN, b: false, s: '', t: 10n ** 15n, d: '-3', y: Uint8Array.of(), j: null, a: [], n: 'x' },
  ]
  const fed: Feed = { kind: 'feed', dataflow: 1, input: 't', partition: 0, runs: [{ op: 'insert', rows }] }
  threads.send(1, decodeMessage<Feed>(encodeMessage(fed)))
  tick(threads, 1)
  expect(threads.read(1, 't', 1, { errors: true }).rows).toEqual([])
  const { rows: read } = threads.read(1, 't', 1)
  const answer: RowsRead = { kind: 'rows', request: 1, rows: read, error: null }
  const told = decodeMessage<RowsRead>(encodeMessage(answer)).rows.map(({ row, diff }) => ({
    row: { ...row, y: [...(row['y'] as Uint8Array)] },
    diff,
  }))
  expect(told.sort((a, b) => Number(a.row['i' as never]) - Number(b.row['i' as never]))).toEqual(
    rows.map((row) => ({ row: { ...row, y: [...row.y] }, diff: 1 })),
  )
})

test('many changes of one time come in several messages', () => {
  const threads = started(job('j', { t: table({ id: int32 }) }, ({ t }) => ({ t })))
  const { heard } = threads.follow(1, 't', 0)
  threads.feed(1, 't', [{ op: 'insert', rows: Array.from({ length: 10_000 }, (_, id) => ({ id })) }])
  tick(threads, 1)
  expect(heard.upTo(1).size).toBe(10_000)
  expect(heard.longest).toBe(1024)
})
