/** Questions between processes over their links: who asked what, and who still waits for an answer. */
import { type ErrorCode, MillraceError } from '../../runtime/error.ts'
import type { ProcessId } from '../../runtime/protocol/control.ts'
import type { PeerServiceMessage } from './peer-link.ts'
import type { Answer, Call, PeerService, Replies, ServiceHandler, ServiceMessage } from './peer-service.ts'

/** What calls need of the links. */
export interface CallTransport {
  readonly self: ProcessId
  /** Null if there is no link to that process now. */
  linkTo(process: ProcessId): CallLink | null
}

export interface CallLink {
  readonly bufferedBytes: number
  sendService(message: PeerServiceMessage): void
}

interface OpenCall {
  readonly process: ProcessId
  readonly replies: Replies
}

export class PeerCalls implements PeerService {
  private readonly transport: CallTransport
  private handler: ServiceHandler | null = null
  private next = 1
  /** Asked by this process. */
  private readonly calls = new Map<number, OpenCall>()
  /** Asked of this process, by process and number. */
  private readonly answers = new Map<string, RemoteAnswer>()

  constructor(transport: CallTransport) {
    this.transport = transport
  }

  onService(handler: ServiceHandler | null): void {
    this.handler = handler
  }

  call(process: ProcessId, message: ServiceMessage, replies: Replies): Call {
    if (process === this.transport.self) return this.callSelf(message, replies)
    const call = this.next++
    const link = this.transport.linkTo(process)
    this.calls.set(call, { process, replies })
    if (link === null) later(() => this.finish(call, new MillraceError('UNREACHABLE', `there is no connection to process ${process}`)))
    else link.sendService({ kind: 'call', call, message })
    return {
      process,
      cancel: () => {
        if (this.calls.delete(call)) this.transport.linkTo(process)?.sendService({ kind: 'cancel', call })
      },
    }
  }

  receive(process: ProcessId, message: PeerServiceMessage): void {
    switch (message.kind) {
      case 'call':
        this.answer(process, message.call, message.message)
        break
      case 'reply':
        this.calls.get(message.call)?.replies.onReply(message.message)
        break
      case 'end':
        this.finish(message.call, message.error === null ? null : received(message.error))
        break
      case 'cancel':
        this.answers.get(answerKey(process, message.call))?.cancelled()
        break
    }
  }

  /** The link to a process is gone, or, without one, all links are. */
  lost(process: ProcessId | null, reason: string): void {
    for (const [number, call] of [...this.calls])
      if (process === null || call.process === process)
        this.finish(number, new MillraceError('UNREACHABLE', `process ${call.process} did not answer: ${reason}`))
    for (const answer of [...this.answers.values()]) if (process === null || answer.process === process) answer.cancelled()
  }

  private finish(call: number, error: MillraceError | null): void {
    const open = this.calls.get(call)
    if (open === undefined) return
    this.calls.delete(call)
    open.replies.onEnd(error)
  }

  private answer(process: ProcessId, call: number, message: ServiceMessage): void {
    const key = answerKey(process, call)
    const answer = new RemoteAnswer(process, call, this.transport, () => this.answers.delete(key))
    this.answers.set(key, answer)
    this.handle(message, answer)
  }

  private handle(message: ServiceMessage, answer: Answer): void {
    if (this.handler === null) answer.end(new MillraceError('UNREACHABLE', `process ${this.transport.self} answers no questions yet`))
    else this.handler(message, answer)
  }

  private callSelf(message: ServiceMessage, replies: Replies): Call {
    const answer = new LocalAnswer(this.transport.self, replies)
    later(() => {
      if (answer.isOpen) this.handle(message, answer)
    })
    return { process: this.transport.self, cancel: () => answer.cancelled() }
  }
}

class RemoteAnswer implements Answer {
  readonly process: ProcessId
  onCancel: (() => void) | null = null
  private readonly number: number
  private readonly transport: CallTransport
  private readonly over: () => void
  private open = true

  constructor(process: ProcessId, number: number, transport: CallTransport, over: () => void) {
    this.process = process
    this.number = number
    this.transport = transport
    this.over = over
  }

  get isOpen(): boolean {
    return this.open
  }

  get bufferedBytes(): number {
    return this.transport.linkTo(this.process)?.bufferedBytes ?? 0
  }

  reply(message: ServiceMessage): void {
    if (this.open) this.transport.linkTo(this.process)?.sendService({ kind: 'reply', call: this.number, message })
  }

  end(error?: MillraceError): void {
    if (!this.open) return
    this.close()
    const told = error === undefined ? null : { code: error.code, message: error.message }
    this.transport.linkTo(this.process)?.sendService({ kind: 'end', call: this.number, error: told })
  }

  cancelled(): void {
    if (!this.open) return
    this.close()
    this.onCancel?.()
  }

  private close(): void {
    this.open = false
    this.over()
  }
}

/** Replies in a later turn, in order, so that whoever asks is treated the same by itself and by others. */
class LocalAnswer implements Answer {
  readonly process: ProcessId
  readonly bufferedBytes = 0
  onCancel: (() => void) | null = null
  private readonly replies: Replies
  private open = true
  private heard = true

  constructor(process: ProcessId, replies: Replies) {
    this.process = process
    this.replies = replies
  }

  get isOpen(): boolean {
    return this.open
  }

  reply(message: ServiceMessage): void {
    if (!this.open) return
    later(() => {
      if (this.heard) this.replies.onReply(message)
    })
  }

  end(error?: MillraceError): void {
    if (!this.open) return
    this.open = false
    later(() => {
      if (!this.heard) return
      this.heard = false
      this.replies.onEnd(error ?? null)
    })
  }

  cancelled(): void {
    this.heard = false
    if (!this.open) return
    this.open = false
    this.onCancel?.()
  }
}

function later(work: () => void): void {
  void Promise.resolve().then(work)
}

function answerKey(process: ProcessId, call: number): string {
  return `${call} ${process}`
}

/** The code is one of ours: both ends are the same program, and an unknown code is kept as it is for people to read. */
function received(error: { readonly code: string; readonly message: string }): MillraceError {
  return new MillraceError(error.code as ErrorCode, error.message)
}
