/** A worker process that `run` started. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { Lines } from './lines.ts'
import { type ChildMessage, PARENT_DESCRIPTOR, type ParentMessage } from './parent-link.ts'

export interface ChildOptions {
  /** The program and its parameters, for this Node. */
  readonly parameters: readonly string[]
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly message: ParentMessage
  readonly onListening: (message: ChildMessage) => void
  /** A line that it wrote. */
  readonly onLine: (line: string) => void
  /** Called once. */
  readonly onExit: (end: ChildEnd) => void
}

export interface ChildEnd {
  /** null if a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  /** For people: `ended with code 1`, `was killed (SIGKILL)`. */
  readonly text: string
}

export class Child {
  private readonly process: ChildProcess
  private over = false

  constructor({ parameters, variables, message, onListening, onLine, onExit }: ChildOptions) {
    const child = spawn(process.execPath, [...process.execArgv, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { ...variables },
    })
    this.process = child
    const finish = (code: number | null, signal: string | null, text: string): void => {
      if (this.over) return
      this.over = true
      onExit({ code, signal, text })
    }
    child.once('error', (error) => finish(null, null, `could not be started: ${error.message}`))
    // 'close' comes when its last words were read; a grandchild that keeps the pipes must not hide its end.
    child.once('exit', (code, signal) => finish(code, signal, signal === null ? `ended with code ${code}` : `was killed (${signal})`))
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new Lines(onLine)
      stream?.on('data', (bytes: Buffer) => lines.add(bytes))
      stream?.once('end', () => lines.end())
    }
    const pipe = child.stdio[PARENT_DESCRIPTOR] as Duplex | null | undefined
    const told = new Lines((line) => onListening(JSON.parse(line) as ChildMessage))
    pipe?.on('data', (bytes: Buffer) => told.add(bytes))
    pipe?.on('error', () => undefined)
    pipe?.write(`${JSON.stringify(message)}\n`)
  }

  get pid(): number | undefined {
    return this.process.pid
  }

  /** Asks it to leave the cluster and end. */
  terminate(): void {
    if (!this.over) this.process.kill('SIGTERM')
  }

  /** Ends it, also if it is stopped. */
  kill(): void {
    if (!this.over) this.process.kill('SIGKILL')
  }
}
