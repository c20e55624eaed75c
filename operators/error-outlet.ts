/** The error side of one operator: collects error rows of a step and sends them as its second output. */
import { type Batch, BatchPool } from '../runtime/data/batch.ts'
import { errorSchema } from '../runtime/data/error-schema.ts'
import type { Row } from '../runtime/data/row-kernels.ts'
import { shownValue } from '../runtime/data/value-encoding.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Outlet } from '../runtime/graph/outlet.ts'
import { type Stream, streamOf } from '../runtime/graph/stream.ts'
import { identifyErrors } from './error-identity.ts'

/** Longer rows are cut; equal beginnings then count as one error several times. */
const SHOWN_CHARACTERS = 2000

export class ErrorOutlet {
  readonly stream: Stream
  private readonly outlet: Outlet
  private readonly kind: string
  private readonly origin: string
  private readonly pool = new BatchPool(errorSchema.widths)
  private open: Batch | null = null

  /** `like` is the stream whose times the errors have. */
  constructor(dataflow: Dataflow, kind: string, origin: string, like: Stream) {
    this.outlet = new Outlet(dataflow, `${kind} errors`)
    this.kind = kind
    this.origin = origin
    this.stream = streamOf(this.outlet, errorSchema, like.region, like.depth)
    identifyErrors(this.outlet, { operator: kind, origin })
    like.region?.addFollower(like.operator, this.outlet)
  }

  /** An error at a time outside loops. */
  add(row: string | null, message: string, difference: number, time: number): void {
    const batch = this.batchFor(time)
    this.write(batch, row, message, difference)
  }

  /** The error of row i of a batch, with its time. */
  addFor(batch: Batch, i: number, row: string | null, message: string): void {
    const out = this.batchFor(batch.time)
    if (batch.times !== null) {
      out.reserve(out.n + 1)
      out.useTimes()[out.n] = batch.times[i] as number
    }
    this.write(out, row, message, batch.differences[i] as number)
  }

  flush(): void {
    const batch = this.open
    if (batch === null) return
    this.open = null
    this.outlet.send(batch)
  }

  /** Sends what was collected, and promises that no later error has a time below `time`. */
  advance(time: number): void {
    this.flush()
    this.outlet.advance(time)
  }

  private batchFor(time: number): Batch {
    if (this.open !== null && this.open.time !== time) this.flush()
    this.open ??= this.pool.take(time, 16)
    return this.open
  }

  private write(batch: Batch, row: string | null, message: string, difference: number): void {
    const { dictionary } = this.outlet.dataflow
    batch.reserve(batch.n + 1)
    const n = batch.n
    const ids = [dictionary.intern(this.kind), dictionary.intern(this.origin), row === null ? 0 : dictionary.intern(row)]
    ids.push(dictionary.intern(wellFormed(message)), 0, 0)
    for (let c = 0; c < ids.length; c++) (batch.columns[c] as Int32Array)[n] = ids[c] as number
    batch.differences[n] = difference
    batch.n = n + 1
  }
}

/** A row as text, for people: `{ id: 1, city: "Rimini" }`. Columns of our own making, whose names begin with U+0000, stay out. */
export function rowText(row: Row): string {
  const names = Object.keys(row).filter((name) => !name.startsWith('\u0000'))
  const parts = names.map((name) => `${name}: ${shown(row[name])}`)
  const text = parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`
  return wellFormed(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)} ...` : text)
}

/** Cutting, or a user, may leave half a surrogate pair, which is no text. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Uint8Array) return `0x${Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
  if (typeof value !== 'object' || value === null) return shownValue(value)
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))
}

/** What a user's function threw, in words. */
export function thrownText(thrown: unknown): string {
  if (thrown instanceof MillraceError) return thrown.message.split('\n')[0] as string
  if (thrown instanceof Error) return thrown.message === '' ? thrown.name : `${thrown.name}: ${thrown.message}`
  return `threw ${shownValue(thrown)}`
}
