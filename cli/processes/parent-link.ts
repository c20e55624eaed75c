/**
 * Between `run` and the worker processes that it starts: a pipe as file descriptor 3. What is secret comes through it, since
 * arguments and environments of processes can be read by others; and when it ends, the parent is gone, however it went.
 */
import { Socket } from 'node:net'
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import { MillraceError } from '../../runtime/error.ts'
import { Lines } from './lines.ts'

export const PARENT_DESCRIPTOR = 3

/** The parent's first and only line. */
export interface ParentMessage {
  readonly token: string | null
  readonly tls: TlsIdentity | null
  /** Whether another port does where the wanted one is taken. */
  readonly anyPort: boolean
}

/** The child's first and only line: it listens. */
export interface ChildMessage {
  readonly url: string
  readonly admin: string | null
}

export interface ParentLink {
  readonly message: ParentMessage
  tell(message: ChildMessage): void
  /** Called once, when the parent is gone. */
  onGone: (() => void) | null
}

/** @throws MillraceError CONFIG if this process was not started by `run` */
export function connectParent(): Promise<ParentLink> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new MillraceError('CONFIG', '--supervised is for processes that millrace run starts.'))
    let socket: Socket
    try {
      socket = new Socket({ fd: PARENT_DESCRIPTOR, readable: true, writable: true })
    } catch {
      failed()
      return
    }
    let link: { message: ParentMessage; tell(message: ChildMessage): void; onGone: (() => void) | null } | null = null
    const lines = new Lines((line) => {
      if (link !== null) return
      link = { message: JSON.parse(line) as ParentMessage, tell: (told) => void socket.write(`${JSON.stringify(told)}\n`), onGone: null }
      resolve(link)
    })
    socket.on('data', (bytes: Buffer) => lines.add(bytes))
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (link === null) failed()
      else link.onGone?.()
    })
  })
}
