/**
 * Checkpoints of a total trace: cut, restore, evict.
 *
 * A hold at the last cut keeps the batches since then in the trace's log, so a cut at F is the sum of the batches in (last
 * cut, F], exactly, wherever the head stands. A key is evicted only if nothing touched it after the last cut: its content is
 * then in the store, and the next touch brings it back.
 */
import type { Dictionary } from '../data/dictionary.ts'
import { MillraceError } from '../error.ts'
import type { BlockStore } from './block-store.ts'
import type { Backing, Hold, TotalTrace } from './total-trace.ts'
import { type CheckpointTypes, keyColumnsOf, valueColumnsOf } from './trace-content.ts'
import { type TraceRows, TraceStore } from './trace-store.ts'

export class TraceCheckpoint implements Backing {
  evicted = new Uint8Array(0)
  evictedCount = 0
  private readonly trace: TotalTrace
  private readonly blocks: BlockStore
  private readonly dictionary: Dictionary
  private readonly store: TraceStore
  private readonly types: CheckpointTypes
  private hold: Hold

  /** Attaches a store to a trace. `restore` next, if the store holds something; before any change either way. */
  constructor(trace: TotalTrace, blocks: BlockStore, name: string, types: CheckpointTypes, dictionary: Dictionary) {
    this.trace = trace
    this.blocks = blocks
    this.dictionary = dictionary
    this.types = types
    this.store = new TraceStore(blocks, name, types.keys, types.values, dictionary)
    this.hold = trace.hold(trace.since, `checkpoint ${name}`)
    trace.backing = this
  }

  /** The last time that is stored; -1 if none. */
  get stored(): number {
    return this.store.cut
  }

  /** Stores the state as of `time`, which must be complete. One atomic, durable commit. */
  cut(time: number): void {
    const { trace } = this
    if (time >= trace.upper) throw new MillraceError('BAD_TIME', `time ${time} is not complete yet (complete: below ${trace.upper})`)
    if (time <= this.store.cut) throw new MillraceError('BAD_TIME', `time ${time} is not after the last cut, ${this.store.cut}`)
    trace.ensure(time)
    const sums = new Map<number, Map<number, number>>() // not state: the net changes of one cut
    for (const batch of trace.appliedBetween(this.store.cut, time)) {
      const [keys, values] = batch.columns
      for (let i = 0; i < batch.n; i++) {
        let values_ = sums.get(keys[i])
        if (values_ === undefined) {
          values_ = new Map() // not state: as above
          sums.set(keys[i], values_)
        }
        values_.set(values[i], (values_.get(values[i]) ?? 0) + batch.differences[i])
      }
    }
    const keys: number[] = []
    const values: number[] = []
    const differences: number[] = []
    for (const [key, byValue] of sums)
      for (const [value, difference] of byValue)
        if (difference !== 0) {
          keys.push(key)
          values.push(value)
          differences.push(difference)
        }
    this.store.write(this.contentOf(Int32Array.from(keys), Int32Array.from(values), Int32Array.from(differences)), time)
    this.hold.downgrade(time)
    trace.compact()
  }

  /** Puts what the store holds, of the given virtual shards, into the empty trace; all of it is then at or before the last cut. */
  restore(shards: (shard: number) => boolean = () => true): void {
    for (const rows of this.store.readAll(shards)) this.apply(rows)
    this.trace.restoredAt(this.store.cut)
    const { name } = this.hold
    this.hold.release()
    this.hold = this.trace.hold(Math.max(this.store.cut, this.trace.since), name)
  }

  /**
   * Puts what others stored under these names as of `time`, of the given virtual shards, into the empty trace, and stores it
   * under this one's name.
   */
  adopt(names: readonly string[], shards: (shard: number) => boolean, time: number): void {
    const { trace, types } = this
    for (const name of names) {
      const store = new TraceStore(this.blocks, name, types.keys, types.values, this.dictionary)
      if (store.cut !== time)
        throw new MillraceError('STORE', `${name} was stored as of ${store.cut}, not ${time}`, 'Restore from another checkpoint.')
      for (const rows of store.readAll(shards)) this.apply(rows)
    }
    trace.restoredAt(time)
    const keys: number[] = []
    const values: number[] = []
    const differences: number[] = []
    trace.readAll(time, (key, value, difference) => {
      keys.push(key)
      values.push(value)
      differences.push(difference)
    })
    this.store.write(this.contentOf(Int32Array.from(keys), Int32Array.from(values), Int32Array.from(differences)), time)
    const { name } = this.hold
    this.hold.release()
    this.hold = trace.hold(time, name)
  }

  /** Drops the keys that `choose` picks from memory where the store has all of them; returns how many. */
  evictSome(choose: (key: number) => boolean): number {
    return this.evict(Array.from({ length: this.trace.segments.capacity }, (_, key) => key).filter(choose))
  }

  /** Drops these keys from memory where the store has all of them; returns how many. */
  evict(keys: readonly number[]): number {
    const { trace } = this
    if (this.store.cut < 0) return 0
    const touched = new Uint8Array(trace.keys.capacity)
    trace.markTouchedAfter(this.store.cut, touched)
    if (this.evicted.length < trace.keys.capacity) {
      const wider = new Uint8Array(trace.keys.capacity)
      wider.set(this.evicted)
      this.evicted = wider
    }
    let count = 0
    for (const key of keys) {
      if (touched[key] === 1 || trace.segments.lengthOf(key) === 0) continue
      if (trace.rows !== null) trace.segments.forEach(key, (value, difference) => trace.rows?.addCount(value, -difference))
      trace.segments.drop(key)
      this.evicted[key] = 1
      count++
    }
    this.evictedCount += count
    return count
  }

  load(keys: Int32Array, n: number): void {
    const missing: number[] = []
    for (let i = 0; i < n; i++) {
      if (this.evicted[keys[i]] !== 1) continue
      this.evicted[keys[i]] = 0
      missing.push(keys[i])
    }
    if (missing.length > 0) this.loadKeys(Int32Array.from(missing))
  }

  loadAll(): void {
    if (this.evictedCount === 0) return
    const all = Int32Array.from({ length: this.evicted.length }, (_, key) => key)
    this.load(all, all.length)
  }

  private loadKeys(keys: Int32Array): void {
    this.evictedCount -= keys.length
    const columns = keyColumnsOf(this.trace.keys, this.types, keys)
    const rows = this.store.readHashes(new Set(this.store.hash(columns, keys.length)))
    const wanted = new Uint8Array(this.trace.keys.capacity)
    for (const key of keys) wanted[key] = 1
    this.apply(rows, wanted)
  }

  /** Adds stored rows to the head; with `wanted`, those of these keys only (others share a hash with them). */
  private apply(rows: TraceRows, wanted: Uint8Array | null = null): void {
    if (rows.rows === 0) return
    const { trace, types } = this
    const keyColumns = rows.columns.slice(0, types.keys.length)
    const valueColumns = rows.columns.slice(types.keys.length)
    const keys = trace.keys.map(keyColumns, rows.rows).slice(0, rows.rows)
    trace.fit()
    const differences = rows.differences.slice()
    if (wanted !== null) for (let i = 0; i < rows.rows; i++) if (wanted[keys[i]] !== 1) differences[i] = 0
    let values = new Int32Array(rows.rows)
    if (trace.rows !== null) trace.rows.put(valueColumns, rows.rows, differences, values)
    else if (valueColumns.length > 0) values = valueColumns[0] as Int32Array<ArrayBuffer>
    trace.segments.apply(keys, values, differences, rows.rows)
  }

  private contentOf(keys: Int32Array, values: Int32Array, differences: Int32Array): TraceRows {
    const { trace, types } = this
    const columns = [...keyColumnsOf(trace.keys, types, keys), ...valueColumnsOf(trace.rows, types, values)]
    return { rows: keys.length, columns, differences, depth: 0, times: new Int32Array(0) }
  }
}
