/**
 * Reads of outputs: at one visible time for all workers, whichever process is asked.
 *
 * Where an output's rows are on the worker that owns their key's shard, a key is asked for there; otherwise all workers are asked
 * and their answers put together. A process that may have been fenced answers nothing: the lease is looked at before and after.
 */

import { didYouMean } from '../../runtime/data/suggest.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Member } from '../../runtime/protocol/control.ts'
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import { fenced, Unavailable } from './gateway-error.ts'
import type { AskRows, GatewayReply } from './gateway-message.ts'
import { errorsShape, GatewayShape, mergeRows } from './gateway-shape.ts'
import { Waiters } from './gateway-wait.ts'
import type { DataflowView, GenerationView, ProcessView } from './process-view.ts'

type Row = Readonly<Record<string, unknown>>

export interface ReadRequest {
  readonly job: string
  readonly output: string
  /** What could not be computed of the output, instead of its rows. */
  readonly errors?: boolean
  /** All key columns. */
  readonly key?: Row | null
  /** The first few key columns, or all. */
  readonly from?: Row | null
  /** Different rows at most. */
  readonly limit: number
  /** At exactly this time, if it is still kept. */
  readonly asOf?: number | null
  /** At the last visible time, which must not be before this; is waited for. */
  readonly atLeast?: number | null
  /** How long it may take. Default `READ_MILLISECONDS`. */
  readonly milliseconds?: number
  readonly signal?: AbortSignal
}

export interface ReadResult {
  readonly time: number
  /** Different rows in the order of the key, then of the other columns; never with difference 0. */
  readonly rows: readonly CountedRow[]
  /** Whether there are rows after these. */
  readonly more: boolean
  /** The first of those; null if there is none, or if it is not known. */
  readonly next: CountedRow | null
  readonly shape: GatewayShape
}

/** How long a read may take in all: waiting for its time, for a generation, for workers. */
export const READ_MILLISECONDS = 5000
/** How long it may take until all rows of an output have come for a snapshot. */
export const SNAPSHOT_MILLISECONDS = 30_000
/** Rows of a snapshot: they are in memory at once, in the threads' answers and here. */
export const MAXIMUM_SNAPSHOT_ROWS = 500_000
/** Different rows of one read at most. */
export const MAXIMUM_READ_ROWS = 10_000
/** Jobs of the generation before, that are not installed so long after a generation began, were dropped. */
const INSTALL_MILLISECONDS = 30_000
/** A read that was cut short by a generation's end or by compaction is tried again so often within its time. */
const READ_ATTEMPTS = 5
/** Rows asked of each worker, where rows of several may cancel out, are doubled up to this. */
const MAXIMUM_ASKED_ROWS = 160_000

export class GatewayReader {
  /** Reads and followers that wait for the process to be told something. */
  readonly waiters: Waiters
  private readonly view: ProcessView
  private readonly environment: Environment
  /** By dataflow, the last time that was shown here: nothing older is shown after a failure. */
  private readonly shown = new Map<number, number>()
  private readonly shapes = new WeakMap<object, GatewayShape>()
  /** Jobs that ran here: in a new generation they are waited for until they are installed again. */
  private known = new Set<string>()
  /** Whether anything was heard of a dataflow in this generation. */
  private hasHeard = false
  /** When the present generation began, monotonic; null before the first. */
  private begun: number | null = null

  constructor(view: ProcessView) {
    this.view = view
    this.environment = view.environment
    this.waiters = new Waiters(view.environment.timers)
    this.onGeneration()
  }

  onVisible(dataflow: number, time: number): void {
    this.shown.set(dataflow, Math.max(time, this.shown.get(dataflow) ?? 0))
    this.waiters.stir()
  }

  onGeneration(): void {
    if (this.view.generation !== null) {
      this.begun = this.environment.clock.monotonic()
      this.hasHeard = false
    }
    this.waiters.stir()
  }

  onDataflow(dataflow: number): void {
    this.hasHeard = true
    const found = this.view.generation?.dataflows.get(dataflow)
    if (found !== undefined) this.known.add(found.name)
    else if (this.view.generation !== null) {
      this.shown.delete(dataflow)
      this.known = new Set([...this.view.generation.dataflows.values()].map(({ name }) => name))
    }
    this.waiters.stir()
  }

  /** @throws MillraceError as HTTP's statuses need it: FENCED, UNREACHABLE, UNKNOWN_NAME, JOB, BAD_TIME, NOT_KEYED, COLUMN_TYPE ... */
  async read(request: ReadRequest): Promise<ReadResult> {
    const { clock } = this.environment
    const deadline = clock.monotonic() + (request.milliseconds ?? READ_MILLISECONDS) * 1000
    for (let attempt = 1; ; attempt++) {
      const left = (deadline - clock.monotonic()) / 1000
      let generation: GenerationView | null = null
      try {
        const found = await this.readable(request, left)
        generation = found.generation
        const result = await this.readAt(request, found, Math.max(0, (deadline - clock.monotonic()) / 1000))
        if (!this.view.isLeased()) throw fenced(this.view.name)
        return result
      } catch (error) {
        if (!this.isPassing(error, request)) throw error
        if (attempt >= READ_ATTEMPTS || generation === null) throw unavailable(error)
        // What broke is a connection, a generation, or a time that was forgotten meanwhile: things are different when the next message comes.
        await this.waiters.until(
          this.changedSince(generation),
          (deadline - clock.monotonic()) / 1000,
          () => unavailable(error),
          request.signal,
        )
      }
    }
  }

  /**
   * The job's dataflow in the present generation.
   * @throws MillraceError UNKNOWN_NAME, JOB if it failed, UNREACHABLE while there is no generation
   */
  dataflow(job: string): DataflowView {
    const generation = this.view.generation
    if (generation === null)
      throw new Unavailable(
        'UNREACHABLE',
        `${this.view.name} is in no generation`,
        'Its group is being put together; try again in a second.',
      )
    const dataflows = [...generation.dataflows.values()]
    // Of two with one name the later one: the other is on its way out.
    const found = dataflows.filter(({ name }) => name === job).at(-1)
    if (found === undefined) {
      const names = [...new Set(dataflows.map(({ name }) => name))]
      const known = names.length === 0 ? 'none runs here' : names.join(', ')
      throw new MillraceError('UNKNOWN_NAME', `there is no job ${JSON.stringify(job)} (${known}).${didYouMean(job, names)}`)
    }
    if (found.failure !== null) throw new MillraceError('JOB', `${job} has stopped: ${found.failure.message}`)
    return found
  }

  /** @throws MillraceError UNKNOWN_NAME; UNREACHABLE while it is being installed */
  shape(dataflow: DataflowView, output: string): GatewayShape {
    if (dataflow.outputs.length === 0) throw new Unavailable('UNREACHABLE', `${dataflow.name} is being installed`, 'Try again in a second.')
    const found = dataflow.outputs.find(({ name }) => name === output)
    if (found === undefined) {
      const names = dataflow.outputs.map(({ name }) => name)
      throw new MillraceError(
        'UNKNOWN_NAME',
        `${dataflow.name} has no output ${JSON.stringify(output)} (${names.join(', ')}).${didYouMean(output, names)}`,
      )
    }
    let shape = this.shapes.get(found)
    if (shape === undefined) {
      shape = new GatewayShape(found)
      this.shapes.set(found, shape)
    }
    return shape
  }

  /** As `shape` of the job, but waits for a generation that is being put together. */
  shapeSoon(job: string, output: string, signal?: AbortSignal): Promise<GatewayShape> {
    const probe = (): GatewayShape | undefined => {
      if (this.isSoonThere(job)) return undefined
      const dataflow = this.dataflow(job)
      return dataflow.outputs.length === 0 && this.begun !== null ? undefined : this.shape(dataflow, output)
    }
    const late = (): MillraceError =>
      new Unavailable('UNREACHABLE', `${job} is being installed at ${this.view.name}`, 'Try again in a second.')
    return this.waiters.until(probe, READ_MILLISECONDS, late, signal)
  }

  /**
   * All rows of an output as of a time, in no order, each once.
   * @throws MillraceError as `read`; OVERFLOW if there are more than `MAXIMUM_SNAPSHOT_ROWS`
   */
  async snapshot(job: string, output: string, asOf: number, signal: AbortSignal): Promise<readonly CountedRow[]> {
    const { clock } = this.environment
    const deadline = clock.monotonic() + SNAPSHOT_MILLISECONDS * 1000
    const request: ReadRequest = { job, output, asOf, limit: MAXIMUM_SNAPSHOT_ROWS, signal }
    try {
      const found = await this.readable(request, SNAPSHOT_MILLISECONDS)
      const { generation, shape } = this.checked(request, found)
      const question = questionOf(request, found, MAXIMUM_SNAPSHOT_ROWS + 1, null)
      const parts = await this.ask(generation.members, question, (deadline - clock.monotonic()) / 1000, signal)
      if (!this.view.isLeased()) throw fenced(this.view.name)
      if (parts.reduce((sum, part) => sum + part.length, 0) > MAXIMUM_SNAPSHOT_ROWS)
        throw new MillraceError(
          'OVERFLOW',
          `${output} has more than ${MAXIMUM_SNAPSHOT_ROWS} rows, which is the most for a snapshot`,
          'Follow it without a snapshot, and read it in pages.',
        )
      return shape.isSharded ? parts.flat() : mergeRows(parts, shape)
    } catch (error) {
      throw error instanceof MillraceError && this.isPassing(error, request) ? unavailable(error) : error
    }
  }

  /** The last visible time of a dataflow; null while what was shown before is being computed again. */
  visible(dataflow: DataflowView): number | null {
    const { visible } = dataflow
    return visible === null || visible < (this.shown.get(dataflow.dataflow) ?? 0) ? null : visible
  }

  /** Asks for a lease, a generation, and a time; waits for the latter two. */
  private readable(request: ReadRequest, milliseconds: number): Promise<Readable> {
    const wanted = Math.max(request.atLeast ?? 0, request.asOf ?? 0)
    let known: string | null = null
    const probe = (): Readable | undefined => {
      if (!this.view.isLeased()) throw fenced(this.view.name)
      const { generation } = this.view
      if (this.isSoonThere(request.job)) return undefined
      const dataflow = this.dataflow(request.job)
      if (dataflow.outputs.length === 0) return undefined
      const shape = this.shape(dataflow, request.output)
      const visible = this.visible(dataflow)
      known = visible === null ? 'it is being computed again' : `the last visible one is ${visible}`
      if (visible === null || visible < wanted) return undefined
      return {
        generation: generation as GenerationView,
        dataflow,
        time: request.asOf ?? visible,
        shape: request.errors === true ? errorsShape(request.output) : shape,
      }
    }
    const late = (): MillraceError => {
      if (known === null) return new Unavailable('UNREACHABLE', `${this.view.name} is in no generation yet`, 'Try again in a second.')
      const what = wanted > 0 ? `time ${wanted} of ${request.job} is not visible yet` : `no time of ${request.job} is visible yet`
      return new Unavailable('UNREACHABLE', `${what}: ${known}`, 'Try again in a second.')
    }
    return this.waiters.until(probe, milliseconds, late, request.signal)
  }

  /**
   * Whether a job is not there because its generation has only begun, or the one before has ended. (A process that has only
   * started says so at once: it may be long until somebody wants it.)
   */
  private isSoonThere(job: string): boolean {
    const { generation } = this.view
    if (this.begun === null) return false
    if (generation === null) return true
    const present = [...generation.dataflows.values()]
    if (present.some(({ name }) => name === job)) return false
    const isYoung = this.environment.clock.monotonic() - this.begun < INSTALL_MILLISECONDS * 1000
    return isYoung && ((present.length === 0 && !this.hasHeard) || this.known.has(job))
  }

  /** @throws MillraceError NOT_KEYED, BAD_TIME */
  private checked(request: ReadRequest, found: Readable): Readable {
    const { shape, time, dataflow } = found
    if (!shape.kept)
      throw new MillraceError('NOT_KEYED', `${request.output} keeps no rows: it can only be followed`, `GET .../${request.output}/changes`)
    // As of `since` there is nothing, which is right as long as nothing else was ever visible.
    const isKept = time > dataflow.since || (time === dataflow.since && dataflow.visible === time)
    if (time < dataflow.compactTo || !isKept)
      throw new MillraceError('BAD_TIME', `time ${time} of ${request.job} is not kept any more; the first that is: ${firstKept(dataflow)}`)
    return found
  }

  private async readAt(request: ReadRequest, found: Readable, milliseconds: number): Promise<ReadResult> {
    const { shape, time, generation } = this.checked(request, found)
    const key = request.key ?? null
    const worker = key === null || request.errors === true ? null : shape.workerOf(key, generation.owners)
    const members = generation.members.filter(({ first, threads }) => worker === null || (worker >= first && worker < first + threads))
    const limit = Math.min(request.limit, MAXIMUM_READ_ROWS)
    // One more than asked for tells whether there are more.
    for (let asked = limit + 1; ; asked = Math.min(asked * 2, MAXIMUM_ASKED_ROWS)) {
      const parts = await this.ask(members, questionOf(request, found, asked, worker), milliseconds, request.signal)
      const { rows, whole } = soundRows(parts, shape, asked)
      if (rows.length <= limit && !whole && asked < MAXIMUM_ASKED_ROWS) continue
      return { time, rows: rows.slice(0, limit), more: rows.length > limit || !whole, next: rows[limit] ?? null, shape }
    }
  }

  /** The rows of each worker that was asked. */
  private ask(members: readonly Member[], question: AskRows, milliseconds: number, signal?: AbortSignal): Promise<CountedRow[][]> {
    return new Promise((resolve, reject) => {
      /** By worker; a worker's rows may come in several messages. */
      const parts = new Map<number, CountedRow[]>()
      let open = members.length
      const end = (error: MillraceError | null): void => {
        timer.clear()
        signal?.removeEventListener('abort', onAbort)
        for (const call of calls) call.cancel()
        if (error === null) resolve([...parts.values()])
        else reject(error)
      }
      const onAbort = (): void => end(new MillraceError('CLOSED', 'whoever asked is gone'))
      const timer = this.environment.timers.setTimeout(
        () => end(new Unavailable('UNREACHABLE', `${open} of ${members.length} processes have not answered in time`)),
        milliseconds,
      )
      signal?.addEventListener('abort', onAbort)
      const calls = members.map((member) =>
        this.view.service.call(member.process, question, {
          onReply: (message) => {
            const reply = message as GatewayReply
            if (reply.kind !== 'gateway-rows') return
            const before = parts.get(reply.worker)
            if (before === undefined) parts.set(reply.worker, reply.rows as CountedRow[])
            else for (const row of reply.rows) before.push(row)
          },
          onEnd: (error) => {
            open--
            if (error !== null) end(error)
            else if (open === 0) end(null)
          },
        }),
      )
      if (members.length === 0) end(new Unavailable('UNREACHABLE', 'the generation has no member with the key'))
    })
  }

  private isPassing(error: unknown, { asOf }: ReadRequest): error is MillraceError {
    if (!(error instanceof MillraceError)) return false
    if (error.code === 'BAD_TIME') return asOf === undefined || asOf === null
    // FENCED: another process has lost its lease; if it is this one, the next attempt says so.
    return error.code === 'UNREACHABLE' || (error.code === 'FENCED' && this.view.isLeased())
  }

  /** Whether a later generation or a later time is there, or the one that was had a connection mended. */
  private changedSince(before: GenerationView): () => true | undefined {
    const times = new Map([...before.dataflows].map(([dataflow, { visible }]) => [dataflow, visible]))
    return () => {
      const now = this.view.generation
      if (now === null) return undefined
      if (now.generation !== before.generation) return true
      for (const [dataflow, { visible }] of now.dataflows) if (visible !== times.get(dataflow)) return true
      return undefined
    }
  }
}

/** What broke on the way may be whole in a moment. */
function unavailable(error: MillraceError): Unavailable {
  if (error instanceof Unavailable) return error
  return new Unavailable(error.code, error.message, 'Try again in a second.')
}

interface Readable {
  readonly generation: GenerationView
  readonly dataflow: DataflowView
  readonly time: number
  readonly shape: GatewayShape
}

function questionOf(request: ReadRequest, { generation, dataflow, time }: Readable, limit: number, worker: number | null): AskRows {
  return {
    kind: 'gateway-read',
    generation: generation.generation,
    dataflow: dataflow.dataflow,
    output: request.output,
    errors: request.errors === true,
    asOf: time,
    key: request.key ?? null,
    from: request.from ?? null,
    limit,
    worker,
  }
}

function firstKept({ compactTo, since }: DataflowView): number {
  return Math.max(compactTo, since + 1)
}

/**
 * A worker that gave as many rows as it was asked for may have more, which come after its last one: only rows up to there
 * are known with what all workers have of them. `whole`: nobody has more.
 */
function soundRows(
  parts: readonly CountedRow[][],
  shape: GatewayShape,
  asked: number,
): { readonly rows: CountedRow[]; readonly whole: boolean } {
  let bound: CountedRow | null = null
  for (const part of parts) {
    const last = part.length < asked ? undefined : part.reduce((a, b) => (shape.compare(a.row, b.row) > 0 ? a : b))
    if (last !== undefined && (bound === null || shape.compare(last.row, bound.row) < 0)) bound = last
  }
  const rows = mergeRows(parts, shape)
  if (bound === null) return { rows, whole: true }
  const { row } = bound
  return { rows: rows.filter((one) => shape.compare(one.row, row) <= 0), whole: false }
}
