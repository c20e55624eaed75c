/**
 * Checkpoints of a general trace: cut, restore, evict.
 *
 * A journal keeps what came after the last cut, so a cut at F is the net changes of the outer times in (last cut, F], whatever the
 * trace has moved to the past since. Loop coordinates are stored, outer times are not: what is restored is at or before the last cut. A key
 * is evicted only if the journal has nothing of it: its content is then in the store, and the next touch brings it back.
 */
import type { Dictionary } from '../data/dictionary.ts'
import { MillraceError } from '../error.ts'
import type { Region } from '../graph/region.ts'
import type { BlockStore } from './block-store.ts'
import { GeneralJournal } from './general-journal.ts'
import type { GeneralBacking, GeneralTrace } from './general-trace.ts'
import { type CheckpointTypes, keyColumnsOf, valueColumnsOf } from './trace-content.ts'
import { type TraceRows, TraceStore } from './trace-store.ts'

export class GeneralCheckpoint implements GeneralBacking {
  evictedCount = 0
  private evicted = new Uint8Array(0)
  private readonly trace: GeneralTrace
  private readonly region: Region
  /** Loop coordinates a time. */
  private readonly depth: number
  private readonly types: CheckpointTypes
  private readonly store: TraceStore
  private readonly journal = new GeneralJournal()

  /** Attaches a store to a trace. `restore` next, if the store holds something; before any change either way. */
  constructor(
    trace: GeneralTrace,
    region: Region,
    depth: number,
    blocks: BlockStore,
    name: string,
    types: CheckpointTypes,
    dictionary: Dictionary,
  ) {
    this.trace = trace
    this.region = region
    this.depth = depth
    this.types = types
    this.store = new TraceStore(blocks, name, types.keys, types.values, dictionary)
    trace.backing = this
  }

  /** The last outer time that is stored; -1 if none. */
  get stored(): number {
    return this.store.cut
  }

  record(key: number, value: number, time: number, difference: number): void {
    const { times } = this.region
    this.journal.add(
      key,
      value,
      difference,
      times.outer(time),
      times.coordinate(time, 1),
      times.coordinate(time, 2),
      times.coordinate(time, 3),
    )
  }

  /**
   * Stores the state as of an outer time, which must be over in the whole loop. One atomic, durable commit.
   * @throws MillraceError BAD_TIME
   */
  cut(outer: number): void {
    const { region, depth, trace, types } = this
    if (outer >= region.upper) throw new MillraceError('BAD_TIME', `time ${outer} is not complete yet (complete: below ${region.upper})`)
    if (outer <= this.store.cut) throw new MillraceError('BAD_TIME', `time ${outer} is not after the last cut, ${this.store.cut}`)
    const { keys, values, differences, inner } = this.journal.takeUpTo(outer)
    const columns = [...keyColumnsOf(trace.keys, types, keys), ...valueColumnsOf(trace.rows, types, values)]
    const times = new Int32Array(depth * keys.length)
    for (let i = 0; i < keys.length; i++) for (let d = 0; d < depth; d++) times[depth * i + d] = inner[3 * i + d]
    this.store.write({ rows: keys.length, columns, differences, depth, times }, outer)
  }

  /** Puts what the store holds, of the given virtual shards, into the empty trace; all of it is then at or before the last cut. */
  restore(shards: (shard: number) => boolean = () => true): void {
    for (const rows of this.store.readAll(shards)) this.apply(rows)
  }

  /** Drops these keys from memory where the store has all of them; returns how many. */
  evict(keys: readonly number[]): number {
    const { trace } = this
    const { capacity } = trace.keys
    if (this.store.cut < 0) return 0
    if (this.evicted.length < capacity) {
      const wider = new Uint8Array(capacity)
      wider.set(this.evicted)
      this.evicted = wider
    }
    const recent = new Uint8Array(capacity)
    this.journal.forEach((key) => {
      recent[key] = 1
    })
    let count = 0
    for (const key of keys) {
      // Outer times that a hold keeps apart are not in the store.
      if (recent[key] === 1 || !trace.segments.isSettled(key) || trace.segments.lengthOf(key) === 0) continue
      trace.segments.drop(key)
      this.evicted[key] = 1
      count++
    }
    this.evictedCount += count
    return count
  }

  load(keys: Int32Array, n: number): void {
    const { evicted } = this
    const missing: number[] = []
    for (let i = 0; i < n; i++) {
      if (evicted[keys[i]] !== 1) continue
      evicted[keys[i]] = 0
      missing.push(keys[i])
    }
    if (missing.length === 0) return
    this.evictedCount -= missing.length
    const ids = Int32Array.from(missing)
    const hashes = this.store.hash(keyColumnsOf(this.trace.keys, this.types, ids), ids.length)
    this.apply(this.store.readHashes(new Set(hashes)), new Set(missing))
  }

  markKeys(live: Uint8Array): void {
    for (let key = 0; key < this.evicted.length; key++) if (this.evicted[key] === 1) live[key] = 1
    this.journal.forEach((key) => {
      live[key] = 1
    })
  }

  forEachValue(visit: (value: number) => void): void {
    this.journal.forEach((_, value) => {
      visit(value)
    })
  }

  /** Adds stored rows at outer time 0, with `wanted` those of these keys only (others share a hash with them). */
  private apply({ rows, columns, differences, depth, times }: TraceRows, wanted: ReadonlySet<number> | null = null): void {
    if (rows === 0) return
    const { trace, types, region } = this
    const keys = trace.keys.map(columns.slice(0, types.keys.length), rows).slice(0, rows)
    const valueColumns = columns.slice(types.keys.length)
    let values = new Int32Array(rows)
    if (trace.rows !== null) trace.rows.lookupOrInsert(valueColumns, rows, values)
    else if (valueColumns.length > 0) values = valueColumns[0].slice(0, rows)
    trace.fit()
    for (let i = 0; i < rows; i++) {
      if (wanted !== null && !wanted.has(keys[i])) continue
      trace.segments.add(keys[i], values[i], region.times.intern(0, [...times.subarray(depth * i, depth * (i + 1))]), differences[i])
    }
  }
}
