/**
 * The durable side of one arrangement on one worker: a list of immutable runs of net changes, each a few sorted blocks.
 *
 * A run holds what changed in (previous cut, cut]; the state as of a cut is the sum of the runs up to it. Rows are sorted by the
 * content hash of the key, whose high bits are the virtual shard: a key is found by its hash through the blocks' fences, a shard
 * is a range. Hashes only find candidates; keys are compared exactly.
 * Source: the LSM of immutable runs of DESIGN's storage notes; persist in Materialize.
 */
import type { ColumnType } from '../data/column-type.ts'
import { isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import { hashKeys, virtualShard } from '../data/key-hash.ts'
import { invariant, MillraceError } from '../error.ts'
import { type BlockRows, decodeBlock, encodeBlock } from './block.ts'
import type { BlockStore } from './block-store.ts'

/** Rows a block: about 4 KB of narrow rows, the size that point reads want. */
const BLOCK_ROWS = 256
/** Runs are merged into one when there are this many. */
const MAX_RUNS = 8

/** Rows of an arrangement with their content: key columns, then value columns; ids of this worker's dictionary. */
export interface TraceRows {
  rows: number
  columns: Int32Array[]
  differences: Int32Array
  /** Inside loops the inner coordinates of each row's time, `depth` a row. */
  depth: number
  times: Int32Array
}

interface Fence {
  readonly key: string
  readonly firstHash: number
  readonly lastHash: number
}

interface Run {
  /** All changes with times up to this one and after the previous run's. */
  readonly cut: number
  readonly fences: readonly Fence[]
}

export class TraceStore {
  readonly name: string
  private readonly store: BlockStore
  private readonly dictionary: Dictionary
  private readonly keyTypes: readonly ColumnType[]
  private readonly types: readonly ColumnType[]
  private readonly widths: readonly number[]
  private runs: Run[] = []
  private nextRun = 0

  /** @param name unique within the store; several workers of one generation use names of their own */
  constructor(store: BlockStore, name: string, keyTypes: readonly ColumnType[], valueTypes: readonly ColumnType[], dictionary: Dictionary) {
    this.store = store
    this.name = name
    this.dictionary = dictionary
    this.keyTypes = keyTypes
    this.types = [...keyTypes, ...valueTypes]
    this.widths = this.types.map((type) => type.width)
    this.load()
  }

  /** The last cut that is stored; -1 if none. */
  get cut(): number {
    return this.runs[this.runs.length - 1]?.cut ?? -1
  }

  /** Stores the net changes in (this.cut, cut] as one atomic commit. */
  write(rows: TraceRows, cut: number): void {
    invariant(cut > this.cut, `cut ${cut} of ${this.name} is not after ${this.cut}`)
    const merge = this.runs.length + 1 >= MAX_RUNS
    const all = merge ? [...this.runs.flatMap((run) => run.fences.map((fence) => this.rowsOf(this.readBlock(fence.key)))), rows] : [rows]
    const deletes = merge ? this.runs.flatMap((run) => run.fences.map((fence) => fence.key)) : []
    const puts: [string, Uint8Array][] = []
    const fences: Fence[] = []
    const number = this.nextRun++
    for (const { block, first, last } of this.blocksOf(concatenated(all, this.widths))) {
      const key = `${this.name}/run/${pad(number)}/${pad(puts.length)}`
      puts.push([key, encodeBlock(block)])
      fences.push({ key, firstHash: first, lastHash: last })
    }
    const runs = merge ? [{ cut, fences }] : [...this.runs, { cut, fences }]
    puts.push([`${this.name}/meta`, new TextEncoder().encode(JSON.stringify({ nextRun: this.nextRun, runs }))])
    this.store.commit(puts, deletes, { sync: true })
    this.runs = runs
  }

  /** All rows of the runs, those of the given virtual shards only; not summed. */
  *readAll(shards: (shard: number) => boolean): Generator<TraceRows> {
    for (const run of this.runs)
      for (const fence of run.fences) yield this.selected(this.rowsOf(this.readBlock(fence.key)), (hash) => shards(virtualShard(hash)))
  }

  /** The rows whose key has one of these hashes (and others with the same hashes); not summed. */
  readHashes(hashes: ReadonlySet<number>): TraceRows {
    const found: TraceRows[] = []
    const wanted = [...hashes].sort((a, b) => a - b)
    for (const run of this.runs) {
      for (const fence of run.fences) {
        let low = 0
        let high = wanted.length
        while (low < high) {
          const middle = (low + high) >>> 1
          if (wanted[middle] < fence.firstHash) low = middle + 1
          else high = middle
        }
        if (low < wanted.length && wanted[low] <= fence.lastHash)
          found.push(this.selected(this.rowsOf(this.readBlock(fence.key)), (hash) => hashes.has(hash)))
      }
    }
    return concatenated(found, this.widths)
  }

  /** Content hashes of keys. */
  hash(keyColumns: readonly Int32Array[], n: number): Uint32Array {
    const out = new Uint32Array(n)
    hashKeys(keyColumns, this.keyTypes, n, this.dictionary, out)
    return out
  }

  /** Deletes everything stored under this name. */
  clear(): void {
    this.store.commit([], [...this.store.keys(`${this.name}/`, `${this.name}0`)])
    this.runs = []
  }

  private load(): void {
    const [meta] = this.store.read([`${this.name}/meta`])
    if (meta === null) return
    const parsed = JSON.parse(new TextDecoder().decode(meta)) as { nextRun: number; runs: Run[] }
    this.runs = parsed.runs
    this.nextRun = parsed.nextRun
  }

  private readBlock(key: string): BlockRows {
    const [bytes] = this.store.read([key])
    if (bytes === null)
      throw new MillraceError('STORE', `block ${key} is missing`, 'The store was changed from outside; recover from an earlier checkpoint.')
    return decodeBlock(bytes, key)
  }

  private rowsOf(block: BlockRows): TraceRows {
    const ids = block.strings.map((s) => this.dictionary.intern(s))
    const columns = block.columns.map((column, c) =>
      block.interned[c] ? column.map((position) => (position === 0 ? 0 : ids[position - 1])) : column,
    )
    const times = new Int32Array(block.rows * block.depth)
    for (let i = 0; i < times.length; i++)
      times[i] = block.times[block.timeOf[Math.floor(i / block.depth)] * block.depth + (i % block.depth)]
    return { rows: block.rows, columns, differences: block.differences, depth: block.depth, times }
  }

  private selected(rows: TraceRows, wanted: (hash: number) => boolean): TraceRows {
    const hashes = this.hash(rows.columns.slice(0, this.keyTypes.length), rows.rows)
    const keep: number[] = []
    for (let i = 0; i < rows.rows; i++) if (wanted(hashes[i])) keep.push(i)
    return keep.length === rows.rows ? rows : chosen(rows, this.widths, keep)
  }

  private *blocksOf(rows: TraceRows): Generator<{ block: BlockRows; first: number; last: number }> {
    const hashes = this.hash(rows.columns.slice(0, this.keyTypes.length), rows.rows)
    const order = Array.from({ length: rows.rows }, (_, i) => i).sort((a, b) => hashes[a] - hashes[b])
    for (let from = 0; from < order.length; from += BLOCK_ROWS) {
      const part = order.slice(from, from + BLOCK_ROWS)
      yield { block: this.blockOf(chosen(rows, this.widths, part)), first: hashes[part[0]], last: hashes[part[part.length - 1]] }
    }
  }

  private blockOf(rows: TraceRows): BlockRows {
    const interned = this.types.map(isInterned)
    const strings: string[] = []
    const positions = new Map<number, number>() // not state: one block's strings
    const columns = rows.columns.map((column, c) =>
      interned[c]
        ? column.map((id) => {
            if (id === 0) return 0
            let position = positions.get(id)
            if (position === undefined) {
              position = strings.push(this.dictionary.get(id))
              positions.set(id, position)
            }
            return position
          })
        : column,
    )
    const { times, timeOf } = distinctTimes(rows)
    return {
      rows: rows.rows,
      widths: this.widths,
      interned,
      columns,
      differences: rows.differences,
      depth: rows.depth,
      times,
      timeOf,
      strings,
    }
  }
}

function distinctTimes(rows: TraceRows): { times: Int32Array; timeOf: Int32Array } {
  const { depth } = rows
  const positions = new Map<string, number>() // not state: one block's times
  const times: number[] = []
  const timeOf = new Int32Array(depth === 0 ? 0 : rows.rows)
  for (let i = 0; i < timeOf.length; i++) {
    const time = rows.times.subarray(i * depth, (i + 1) * depth)
    const name = time.join()
    let position = positions.get(name)
    if (position === undefined) {
      position = positions.size
      positions.set(name, position)
      times.push(...time)
    }
    timeOf[i] = position
  }
  return { times: Int32Array.from(times), timeOf }
}

function chosen(rows: TraceRows, widths: readonly number[], order: readonly number[]): TraceRows {
  return {
    rows: order.length,
    columns: rows.columns.map((column, c) => {
      const width = widths[c]
      const out = new Int32Array(width * order.length)
      order.forEach((row, i) => {
        for (let w = 0; w < width; w++) out[i * width + w] = column[row * width + w]
      })
      return out
    }),
    differences: Int32Array.from(order, (row) => rows.differences[row]),
    depth: rows.depth,
    times: Int32Array.from(
      { length: order.length * rows.depth },
      (_, i) => rows.times[order[Math.floor(i / rows.depth)] * rows.depth + (i % rows.depth)],
    ),
  }
}

function concatenated(parts: readonly TraceRows[], widths: readonly number[]): TraceRows {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0)
  const depth = parts.reduce((most, part) => Math.max(most, part.depth), 0)
  const join = (pieces: readonly Int32Array[], length: number) => {
    const out = new Int32Array(length)
    let at = 0
    for (const piece of pieces) {
      out.set(piece, at)
      at += piece.length
    }
    return out
  }
  return {
    rows,
    columns: widths.map((width, c) =>
      join(
        parts.map((part) => part.columns[c].subarray(0, width * part.rows)),
        width * rows,
      ),
    ),
    differences: join(
      parts.map((part) => part.differences.subarray(0, part.rows)),
      rows,
    ),
    depth,
    times: join(
      parts.map((part) => part.times.subarray(0, depth * part.rows)),
      depth * rows,
    ),
  }
}

function pad(n: number): string {
  return n.toString().padStart(10, '0')
}
