/** Dataflow threads for tests, and all that they say. */
import { ShardTable } from '../../runtime/channel/shard-table.ts'
import { NodeThreads } from '../../runtime/env/node-threads.ts'
import type { ThreadCommand, ThreadEvent, ThreadPort } from '../../runtime/protocol/thread.ts'
import { type LocalThreadOptions, LocalThreads } from '../../worker/local-threads.ts'

/** Threads of one process, with all that they say. */
export class Mesh {
  readonly ports: ThreadPort[]
  readonly events: { from: number; event: ThreadEvent }[] = []
  private readonly listeners: (() => void)[] = []
  private readonly first: number
  private readonly workers: number

  constructor(threads: number, entry: URL, options: Partial<LocalThreadOptions> = {}, first = 10, workers = 100) {
    const starter = new LocalThreads({ threads: new NodeThreads(), entry, ...options })
    this.first = first
    this.workers = workers
    this.ports = Array.from({ length: threads }, (_, local) => {
      const port = starter.start(local, threads)
      port.onEvent = (event) => {
        this.events.push({ from: local, event })
        for (const listener of this.listeners.splice(0)) listener()
      }
      return port
    })
    this.configure(threads)
  }

  configure(threads: number): void {
    const { first, workers } = this
    const { owners } = ShardTable.even(1, workers)
    const rest = { kind: 'configure', generation: 1, workers, owners: [...owners], protocol: 2, first, threads } as const
    this.ports.forEach((port, local) => {
      port.send({ ...rest, index: first + local })
    })
  }

  /** To all threads. */
  send(command: ThreadCommand): void {
    for (const port of this.ports) port.send(command)
  }

  feed(thread: number, input: string, dataflow: number, rows: readonly object[] = []): void {
    this.ports[thread].send({ kind: 'feed', dataflow, input, partition: 0, runs: [{ op: 'insert', rows }] })
  }

  /** Events of a kind from a thread, once there are so many. */
  async heard<K extends ThreadEvent['kind']>(thread: number, kind: K, count = 1): Promise<Extract<ThreadEvent, { kind: K }>[]> {
    for (;;) {
      const found = this.events.filter(({ from, event }) => from === thread && event.kind === kind)
      if (found.length >= count) return found.map(({ event }) => event as Extract<ThreadEvent, { kind: K }>)
      const broken = this.events.find(({ event }) => event.kind === 'broken')
      if (broken !== undefined) throw new Error((broken.event as { message: string }).message)
      await new Promise<void>((resolve) => this.listeners.push(resolve))
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.ports.map((port) => port.terminate()))
  }
}
