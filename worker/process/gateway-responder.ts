/** Answers other processes' gateways, and this one's, from the workers of this process. */
import { MillraceError } from '../../runtime/error.ts'
import type { ChangesTold, OutputsComplete, RowsRead } from '../../runtime/protocol/thread.ts'
import { fenced } from './gateway-error.ts'
import type { AskChanges, AskRows, GatewayChanges, GatewayComplete, GatewayQuestion, GatewayRows } from './gateway-message.ts'
import { ANSWER_WINDOW_BYTES, type Answer, type ServiceMessage } from './peer-service.ts'
import type { GenerationView, ProcessView } from './process-view.ts'

/** Questions that wait for workers at one time; more are refused. */
export const MAXIMUM_OPEN_READS = 1024
export const MAXIMUM_OPEN_FOLLOWS = 1024

/** Rows of one message, and how long to wait when the connection is full. */
const MESSAGE_ROWS = 2048
const ROWS_WAIT_MILLISECONDS = 5

const NEVER = Number.NEGATIVE_INFINITY

interface OpenRead {
  readonly answer: Answer
  /** Workers that have not answered, by request. */
  readonly requests: Map<number, number>
  /** Workers whose rows were not all passed on. */
  replying: number
}

interface OpenFollow {
  readonly answer: Answer
  readonly dataflow: number
  /** Workers by request. */
  readonly requests: Map<number, number>
  /** Requests whose workers have not told all that was there before. */
  readonly begun: Set<number>
  told: number
}

export class GatewayResponder {
  private readonly view: ProcessView
  private readonly reads = new Map<number, OpenRead>()
  private readonly follows = new Map<number, OpenFollow>()
  /** By dataflow and worker: how far its outputs are complete in this generation. */
  private readonly complete = new Map<number, Map<number, number>>()

  constructor(view: ProcessView) {
    this.view = view
  }

  handle(message: ServiceMessage, answer: Answer): void {
    const question = message as GatewayQuestion
    try {
      switch (question.kind) {
        case 'gateway-read':
          this.read(question, answer)
          return
        case 'gateway-follow':
          this.follow(question, answer)
          return
        default:
          throw new MillraceError('PROTOCOL', `${this.view.name} knows no question ${JSON.stringify(message.kind)}`)
      }
    } catch (error) {
      answer.end(error instanceof MillraceError ? error : new MillraceError('INVARIANT', String(error)))
    }
  }

  onRows(worker: number, { request, rows, error }: RowsRead): void {
    const read = this.reads.get(request)
    if (read !== undefined) this.onRead(read, worker, request, rows, error)
    const follow = this.follows.get(request)
    if (follow === undefined) return
    if (error !== null) {
      this.endFollow(follow, asError(error))
      return
    }
    follow.begun.add(request)
    this.tellComplete(follow)
  }

  onChanges({ request, time, changes }: ChangesTold): void {
    const follow = this.follows.get(request)
    if (follow === undefined) return
    const reply: GatewayChanges = { kind: 'gateway-changes', time, changes }
    follow.answer.reply(reply)
    if (follow.answer.bufferedBytes > ANSWER_WINDOW_BYTES) {
      const message = `more than ${ANSWER_WINDOW_BYTES} bytes wait between ${this.view.name} and the process that follows`
      this.endFollow(follow, new MillraceError('OVERFLOW', message))
    }
  }

  onComplete(worker: number, { dataflow, time }: OutputsComplete): void {
    let workers = this.complete.get(dataflow)
    if (workers === undefined) {
      workers = new Map()
      this.complete.set(dataflow, workers)
    }
    workers.set(worker, time)
    for (const follow of new Set(this.follows.values())) if (follow.dataflow === dataflow) this.tellComplete(follow)
  }

  /** Requests of the generation before are not answered any more. */
  onGeneration(): void {
    this.complete.clear()
    const ended = new MillraceError('UNREACHABLE', `the generation ended at ${this.view.name}`)
    const open = new Set<OpenRead | OpenFollow>([...this.reads.values(), ...this.follows.values()])
    this.reads.clear()
    this.follows.clear()
    for (const { answer } of open) answer.end(ended)
  }

  /** A dataflow that is gone from here answers nothing any more. */
  onGone(dataflow: number, error: MillraceError): void {
    this.complete.delete(dataflow)
    for (const follow of new Set(this.follows.values())) if (follow.dataflow === dataflow) this.endFollow(follow, error)
  }

  private read(question: AskRows, answer: Answer): void {
    const generation = this.checked(question)
    if (this.reads.size >= MAXIMUM_OPEN_READS)
      throw new MillraceError('OVERFLOW', `${MAXIMUM_OPEN_READS} reads wait for the workers of ${this.view.name} already`)
    const workers = question.worker === null ? workersOf(generation) : [question.worker]
    if (workers.some((worker) => worker < generation.first || worker >= generation.first + generation.threads))
      throw new MillraceError('PROTOCOL', `worker ${question.worker} is not at ${this.view.name}`)
    const read: OpenRead = { answer, requests: new Map(), replying: workers.length }
    answer.onCancel = () => this.forget(read)
    for (const worker of workers) {
      const request = this.view.nextRequest()
      read.requests.set(request, worker)
      this.reads.set(request, read)
    }
    const { dataflow, output, errors, asOf, key, from, limit } = question
    for (const [request, worker] of read.requests)
      this.view.command(worker, { kind: 'read', request, dataflow, output, errors, asOf, key, from, limit })
  }

  private onRead(read: OpenRead, worker: number, request: number, rows: GatewayRows['rows'], error: RowsRead['error']): void {
    this.reads.delete(request)
    read.requests.delete(request)
    // The lease may have run out while the worker looked.
    const refusal = error !== null ? asError(error) : this.view.isLeased() ? null : fenced(this.view.name)
    if (refusal !== null) {
      this.forget(read)
      read.answer.end(refusal)
      return
    }
    this.reply(read, worker, rows, 0)
  }

  /** Many rows in several messages, no more at a time than the connection takes: other things go over it, too. */
  private reply(read: OpenRead, worker: number, rows: GatewayRows['rows'], from: number): void {
    const { answer } = read
    if (!answer.isOpen) return
    if (from > 0 && answer.bufferedBytes > ANSWER_WINDOW_BYTES / 2) {
      this.view.environment.timers.setTimeout(() => this.reply(read, worker, rows, from), ROWS_WAIT_MILLISECONDS)
      return
    }
    const isLocal = answer.process === this.view.process
    const to = isLocal ? rows.length : Math.min(rows.length, from + MESSAGE_ROWS)
    const reply: GatewayRows = { kind: 'gateway-rows', worker, rows: from === 0 && to === rows.length ? rows : rows.slice(from, to) }
    answer.reply(reply)
    if (to < rows.length) {
      this.view.environment.timers.setTimeout(() => this.reply(read, worker, rows, to), 0)
      return
    }
    read.replying--
    if (read.replying === 0) answer.end()
  }

  private forget(read: OpenRead): void {
    for (const request of read.requests.keys()) this.reads.delete(request)
  }

  private follow(question: AskChanges, answer: Answer): void {
    const generation = this.checked(question)
    if (this.follows.size >= MAXIMUM_OPEN_FOLLOWS)
      throw new MillraceError('OVERFLOW', `${MAXIMUM_OPEN_FOLLOWS} followers wait for the workers of ${this.view.name} already`)
    const { dataflow, output, after } = question
    const follow: OpenFollow = { answer, dataflow, requests: new Map(), begun: new Set(), told: NEVER }
    answer.onCancel = () => this.endFollow(follow, null)
    for (const worker of workersOf(generation)) {
      const request = this.view.nextRequest()
      follow.requests.set(request, worker)
      this.follows.set(request, follow)
    }
    for (const [request, worker] of follow.requests) this.view.command(worker, { kind: 'follow', request, dataflow, output, after })
  }

  /** Says how far all workers have told their changes, if that is new. */
  private tellComplete(follow: OpenFollow): void {
    if (follow.begun.size < follow.requests.size) return
    const workers = this.complete.get(follow.dataflow)
    let least = Number.POSITIVE_INFINITY
    for (const worker of follow.requests.values()) least = Math.min(least, workers?.get(worker) ?? NEVER)
    if (least <= follow.told || least === NEVER) return
    follow.told = least
    const reply: GatewayComplete = { kind: 'gateway-complete', time: least }
    follow.answer.reply(reply)
  }

  /** With `error` null the other side is gone already. */
  private endFollow(follow: OpenFollow, error: MillraceError | null): void {
    for (const [request, worker] of follow.requests) {
      this.follows.delete(request)
      this.view.command(worker, { kind: 'unfollow', request })
    }
    if (error !== null) follow.answer.end(error)
  }

  private checked({ generation, dataflow }: GatewayQuestion): GenerationView {
    if (!this.view.isLeased()) throw fenced(this.view.name)
    const current = this.view.generation
    if (current === null || current.generation !== generation)
      throw new MillraceError('UNREACHABLE', `${this.view.name} is in generation ${current?.generation ?? 'none'}, not in ${generation}`)
    const found = current.dataflows.get(dataflow)
    if (found !== undefined && found.failure !== null) throw new MillraceError('JOB', found.failure.message)
    // Its threads know it once one of them has installed it: commands come to each behind the installation.
    if (found === undefined || found.outputs.length === 0)
      throw new MillraceError('UNREACHABLE', `${this.view.name} has not installed dataflow ${dataflow} yet`)
    return current
  }
}

function workersOf({ first, threads }: GenerationView): number[] {
  return Array.from({ length: threads }, (_, i) => first + i)
}

/** Codes come over the wire, from releases that may have more of them. */
function asError({ code, message }: { readonly code: string; readonly message: string }): MillraceError {
  return new MillraceError(code as MillraceError['code'], message)
}
