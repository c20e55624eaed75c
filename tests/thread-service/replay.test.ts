/** Rows of times that threads know before they are given: they do not wait, and are of that time all the same. */
import { expect, test } from 'vitest'
import { count, int32, job, max, stream, table, text } from '../../millrace.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { JobTable, Threads, tick } from './threads.ts'

const counts = job(
  'counts',
  { words: stream({ word: text }), named: table({ id: int32, name: text }, { key: 'id' }) },
  ({ words, named }) => ({
    counts: words
      .groupBy('word')
      .aggregate((row) => ({ n: count(), last: max(row.word) }))
      .keyBy('word'),
    named,
  }),
)

function replaying(times: readonly number[]): { threads: Threads; moved: () => number } {
  const random = new SeededRandom(3)
  const threads = new Threads(2, new JobTable(), (bound) => random.below(bound))
  let bytes = 0
  threads.afterAction = () => {
    for (const row of threads.links) for (const link of row) for (const message of link) bytes += message.length
  }
  threads.configure(1, 2)
  threads.install(1, counts as never, 0, times)
  threads.settle()
  return { threads, moved: () => bytes }
}

const words = Array.from({ length: 6000 }, (_, i) => ({ word: `word ${i % 500}` }))
const names = (suffix: string) => Array.from({ length: 3000 }, (_, id) => ({ id, name: `name ${id} ${suffix}` }))

test.each([
  { times: [5, 9], waits: false },
  { times: [], waits: true },
])('what is fed while $times are to be given', ({ times, waits }) => {
  const { threads, moved } = replaying(times)
  const before = moved()
  threads.feed(1, 'words', [{ op: 'insert', rows: words }], 0)
  threads.feed(1, 'named', [{ op: 'upsert', rows: names('old') }], 1)
  threads.feed(1, 'named', [{ op: 'upsert', rows: names('new') }], 1)
  threads.feed(1, 'named', [{ op: 'upsert', rows: ['no row'] as never }], 1)
  threads.settle()
  if (waits) expect(moved()).toBe(before)
  else expect(moved()).toBeGreaterThan(before + 10_000)
  expect(threads.completeAt(1)).toBe(0)
  tick(threads, 5)
  expect(threads.read(1, 'counts', 5).rows).toHaveLength(500)
  expect(threads.read(1, 'counts', 5).rows.every(({ row }) => row['n'] === 12n)).toBe(true)
  expect(threads.read(1, 'named', 5).rows.every(({ row }) => row['name'] === `name ${row['id']} new`)).toBe(true)
  expect(threads.read(1, 'named', 5, { errors: true }).rows).toHaveLength(1)
  threads.feed(1, 'words', [{ op: 'insert', rows: words }], 1)
  tick(threads, 9)
  expect(threads.read(1, 'counts', 9).rows.every(({ row }) => row['n'] === 24n)).toBe(true)
  // From here on nobody knows the next time.
  const then = moved()
  threads.feed(1, 'words', [{ op: 'insert', rows: words }], 0)
  threads.settle()
  expect(moved()).toBe(then)
  tick(threads, 10)
  expect(threads.read(1, 'counts', 10).rows.every(({ row }) => row['n'] === 36n)).toBe(true)
})

test('another time than the one that is to be given is a broken invariant', () => {
  const { threads } = replaying([5, 9])
  threads.advance(1, 6)
  threads.settle()
  expect(threads.broken).toHaveLength(2)
})
