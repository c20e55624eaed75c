/** Commands for one key from several partitions: what a table has at a time depends on what they say, not on who was heard first. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { float64, int32, int64, job, nullable, table, text } from '../../millrace.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import { JobTable, Threads, tick } from './threads.ts'

const columns = { id: int32, n: nullable(int32), big: int64, name: text, f: float64 }
const tables = job('tables', { t: table(columns, { key: 'id' }) }, ({ t }) => ({ t: t.keyBy('id') }))

interface Row {
  readonly id: number
  readonly n: number | null
  readonly big: bigint
  readonly name: string
  readonly f: number
}

/** A row to put, or the key of one to delete. */
type Command = { readonly id: number; readonly row: Row | null }

/** By time and partition. */
type History = readonly (readonly (readonly Command[])[])[]

const row = fc.record({
  id: fc.constant(0),
  n: fc.option(fc.integer({ min: -2, max: 2 }), { nil: null }),
  big: fc.constantFrom(0n, 1n, -1n, 2n ** 40n),
  name: fc.constantFrom('', 'a', 'b', 'ab', 'ba'),
  f: fc.constantFrom(0, -0, 1.5, -1.5),
})
const command = fc
  .tuple(fc.nat(3), fc.option(row, { nil: null, freq: 3 }))
  .map(([id, one]): Command => ({ id, row: one === null ? null : { ...one, id } }))

function history(partitions: number): fc.Arbitrary<History> {
  const commands = fc.array(command, { maxLength: 6 })
  return fc.array(fc.array(commands, { minLength: partitions, maxLength: partitions }), { minLength: 1, maxLength: 4 })
}

/** In the order of the columns; null is greatest, as everywhere in an ascending order. */
function isGreater(a: Row, b: Row): boolean {
  if (a.n !== b.n) return a.n === null || (b.n !== null && a.n > b.n)
  if (a.big !== b.big) return a.big > b.big
  if (a.name !== b.name) return a.name > b.name
  return a.f > b.f || (Object.is(b.f, -0) && Object.is(a.f, 0))
}

function expected(all: History): Row[][] {
  const rows = new Map<number, Row>()
  return all.map((partitions) => {
    const deciding = new Map<number, Row | null>()
    for (const commands of partitions) {
      const last = new Map(commands.map(({ id, row }) => [id, row]))
      for (const [id, one] of last) {
        const best = deciding.get(id) ?? null
        if (best === null || (one !== null && isGreater(one, best))) deciding.set(id, one ?? best)
      }
    }
    for (const [id, one] of deciding) {
      if (one === null) rows.delete(id)
      else rows.set(id, one)
    }
    return [...rows.values()].sort((a, b) => a.id - b.id)
  })
}

function runOf({ id, row: one }: Command): ChangeRun {
  return one === null ? { op: 'delete', rows: [{ id }] } : { op: 'upsert', rows: [one] }
}

/** The table after each time, with the partitions on any workers, and their commands fed in any order that keeps each partition's. */
function computed(all: History, workers: number, seed: number): Row[][] {
  const random = new SeededRandom(seed)
  const below = (bound: number): number => random.below(bound)
  const threads = new Threads(workers, new JobTable(), below)
  threads.configure(1, workers)
  threads.install(1, tables as never, 0, below(2) === 0 ? all.map((_, i) => i + 1) : [])
  const workerOf = all[0].map(() => below(workers))
  return all.map((partitions, i) => {
    const waiting = partitions.map((commands) => [...commands])
    for (;;) {
      const left = waiting.flatMap((commands, partition) => (commands.length > 0 ? [partition] : []))
      if (left.length === 0) break
      const partition = left[below(left.length)]
      const some = waiting[partition].splice(0, 1 + below(3))
      threads.feed(1, 't', some.map(runOf), workerOf[partition], partition)
      for (let action = below(4); action > 0; action--) threads.act()
    }
    tick(threads, i + 1)
    const { rows } = threads.read(1, 't', i + 1)
    return rows.map((one) => one.row as unknown as Row).sort((a, b) => a.id - b.id)
  })
}

test.each([1, 2, 3])('partitions on %i workers', (workers) => {
  fc.assert(
    fc.property(history(4), fc.nat(), (all, seed) => {
      expect(computed(all, workers, seed)).toEqual(expected(all))
    }),
    { numRuns: 60 },
  )
})

test('the last command of a partition counts, however many there were before, and whatever others say in between', () => {
  const put = (id: number, n: number): Command => ({ id, row: { id, n, big: 0n, name: '', f: 0 } })
  const all: History = [
    [[put(1, 9), put(1, 2)], [put(1, 3), { id: 1, row: null }, put(1, 1)], [{ id: 1, row: null }], []],
    [[{ id: 1, row: null }], [], [{ id: 1, row: null }], []],
  ]
  for (let seed = 0; seed < 20; seed++) expect(computed(all, 2, seed)).toEqual([[{ id: 1, n: 2, big: 0n, name: '', f: 0 }], []])
})
