/** What every source that can be read again must do, tried on one. */
import { expect } from 'vitest'
import type { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import type { ChangeRun } from '../../runtime/protocol/change-run.ts'
import type { Position } from '../../runtime/protocol/position.ts'
import type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'

/** Polls in a row that give nothing, after which there is nothing. */
const QUIET_POLLS = 5
const QUIET_MILLISECONDS = 30

/** All changes of batches, one a row; those of rejected rows apart, since they are of no order. */
export interface Content {
  readonly rows: string[]
  readonly rejected: string[]
}

export function contentOf(batches: readonly SourceBatch[]): Content {
  const rows: string[] = []
  const rejected: string[] = []
  for (const { runs } of batches)
    for (const run of runs)
      for (const [i, row] of run.rows.entries()) (run.op === 'reject' ? rejected : rows).push(`${run.op} ${text(row)}${placeOf(run, i)}`)
  return { rows, rejected: rejected.sort() }
}

function placeOf(run: ChangeRun, i: number): string {
  if (run.op === 'reject' || run.origin === undefined) return ''
  const { source, before, first, after } = run.origin
  return ` at ${source}, ${before}${first + i}${after}`
}

/** A promise that may need simulated time. */
export async function settled<T>(env: SimulatedEnvironment, promise: Promise<T>): Promise<T> {
  let over = false
  promise.then(
    () => (over = true),
    () => (over = true),
  )
  for (let i = 0; i < 100 && !over; i++) await env.run(10_000)
  if (!over) throw new Error('nothing happened for a second')
  return promise
}

export async function openReader(
  env: SimulatedEnvironment,
  source: ReplayableSource,
  shape: InputShape,
  partition: string,
  after: Position | null,
) {
  return settled(env, source.open(env, shape, partition, after))
}

/** Reads what there is. */
export async function readAll(env: SimulatedEnvironment, reader: PartitionReader): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = []
  for (let quiet = 0; quiet < QUIET_POLLS; ) {
    const batch = await settled(env, reader.poll(null))
    if (batch !== null) {
      batches.push(recorded(batch))
      quiet = 0
    } else if (!reader.behind) {
      quiet++
      await env.run(QUIET_MILLISECONDS * 1000)
    }
  }
  return batches
}

/** Reads up to a position. */
export async function readTo(env: SimulatedEnvironment, reader: PartitionReader, until: Position): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = []
  for (let quiet = 0; quiet < QUIET_POLLS && !reader.hasReached(until); ) {
    const batch = await settled(env, reader.poll(until))
    if (batch !== null) batches.push(recorded(batch))
    else if (!reader.behind) quiet++
  }
  expect(reader.hasReached(until), `reached ${JSON.stringify(until)}`).toBe(true)
  expect(await settled(env, reader.poll(until))).toBe(null)
  return batches
}

/**
 * Whether a partition gives again what it gave: `first` are its batches as they were read. From the beginning up to some
 * positions, one after the other; and from each of some positions on.
 */
export async function checkReplays(
  env: SimulatedEnvironment,
  source: ReplayableSource,
  shape: InputShape,
  partition: string,
  first: readonly SourceBatch[],
  choose: (bound: number) => number,
): Promise<void> {
  const all = contentOf(first)
  for (let attempt = 0; attempt < 4; attempt++) {
    const stops = first.map((_, i) => i).filter(() => choose(3) === 0)
    const reader = await openReader(env, source, shape, partition, null)
    let from = 0
    for (const stop of stops) {
      const batches = await readTo(env, reader, first[stop].position)
      expect(contentOf(batches)).toEqual(contentOf(first.slice(from, stop + 1)))
      const reached = batches.at(-1)?.position
      if (reached !== undefined) {
        const other = await openReader(env, source, shape, partition, reached)
        expect(contentOf(await readAll(env, other))).toEqual(contentOf(first.slice(stop + 1)))
        await settled(env, other.close())
      }
      from = stop + 1
    }
    expect(contentOf(await readAll(env, reader))).toEqual(contentOf(first.slice(from)))
    await settled(env, reader.close())
  }
  for (let attempt = 0; attempt < 4 && first.length > 0; attempt++) {
    const after = choose(first.length)
    const reader = await openReader(env, source, shape, partition, first[after].position)
    expect(reader.hasReached(first[after].position)).toBe(true)
    const until = after + choose(first.length - after)
    expect(contentOf(await readTo(env, reader, first[until].position))).toEqual(contentOf(first.slice(after + 1, until + 1)))
    expect(contentOf(await readAll(env, reader))).toEqual(contentOf(first.slice(until + 1)))
    await settled(env, reader.close())
  }
  expect(all.rows.length + all.rejected.length).toBeGreaterThan(0)
}

/** A position goes through JSON and another process. */
function recorded(batch: SourceBatch): SourceBatch {
  return { ...batch, position: JSON.parse(JSON.stringify(batch.position)) as Position }
}

function text(row: object): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
