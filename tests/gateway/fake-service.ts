/** Questions between fake processes: in order, each message with a delay of its own, and copies across processes. */
import type { Environment } from '../../runtime/env/environment.ts'
import type { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { ProcessId } from '../../runtime/protocol/control.ts'
import type { Answer, Call, PeerService, Replies, ServiceHandler, ServiceMessage } from '../../worker/process/peer-service.ts'
import { FakePipe } from './fake-pipe.ts'

/** A process, as others reach it. */
export interface FakeEnd {
  readonly process: ProcessId
  readonly name: string
  readonly service: FakeService
}

export interface FakeWires {
  readonly environment: Environment
  readonly random: SeededRandom
  /** Milliseconds that a message takes at most. */
  readonly delay: number
  readonly processes: readonly FakeEnd[]
}

interface OpenCall {
  readonly to: FakeEnd
  cut(error: MillraceError): void
}

export class FakeService implements PeerService {
  private readonly group: FakeWires
  private readonly self: FakeEnd
  private handler: ServiceHandler | null = null
  private readonly open = new Set<OpenCall>()
  /** What `bufferedBytes` says of answers from here. */
  bufferedBytes = 0

  constructor(group: FakeWires, self: FakeEnd) {
    this.group = group
    this.self = self
  }

  onService(handler: ServiceHandler | null): void {
    this.handler = handler
  }

  /** The connection between two processes breaks, in both directions. */
  cut(to: FakeEnd): void {
    for (const call of [...this.open]) if (call.to === to) call.cut(new MillraceError('UNREACHABLE', 'the connection broke'))
  }

  breakAll(): void {
    for (const call of [...this.open]) call.cut(new MillraceError('UNREACHABLE', 'the generation ended'))
  }

  call(process: ProcessId, message: ServiceMessage, replies: Replies): Call {
    const to = this.group.processes.find((one) => one.process === process) as FakeEnd
    const local = to === this.self
    const pipe = new FakePipe(this.group.environment.timers, () => (local ? 0 : this.group.random.fraction() * this.group.delay))
    const there = new FakePipe(this.group.environment.timers, () => (local ? 0 : this.group.random.fraction() * this.group.delay))
    let heard = true
    const finish = (error: MillraceError | null, tell: boolean): void => {
      if (!heard) return
      heard = false
      this.open.delete(entry)
      if (tell) replies.onEnd(error)
    }
    const answer: Answer & { isOpen: boolean } = {
      process: this.self.process,
      isOpen: true,
      get bufferedBytes() {
        return local ? 0 : to.service.bufferedBytes
      },
      onCancel: null,
      reply: (reply) => {
        if (!answer.isOpen) return
        const copy = local ? reply : structuredClone(reply)
        pipe.send(() => {
          if (heard) replies.onReply(copy)
        })
      },
      end: (error) => {
        if (!answer.isOpen) return
        answer.isOpen = false
        pipe.send(() => finish(error ?? null, true))
      },
    }
    const cancelThere = (): void =>
      there.send(() => {
        if (!answer.isOpen) return
        answer.isOpen = false
        answer.onCancel?.()
      })
    const entry: OpenCall = {
      to,
      cut: (error) => {
        cancelThere()
        finish(error, true)
      },
    }
    this.open.add(entry)
    there.send(() => {
      if (to.service.handler === null) answer.end(new MillraceError('UNREACHABLE', `${to.name} answers nothing`))
      else to.service.handler(message, answer)
    })
    return {
      process,
      cancel: () => {
        if (!heard) return
        finish(null, false)
        cancelThere()
      },
    }
  }
}
