/** Sockets that have not yet said what they want: a bound on them keeps strangers from using up what a process may open. */
import type { Socket } from 'node:net'

export class PendingSockets {
  private readonly maximum: number
  /** By the other end's address; the oldest first. */
  private readonly sockets = new Map<string, Socket>()

  constructor(maximum: number) {
    this.maximum = maximum
  }

  /** Beyond the maximum the one that has been silent longest goes: a proper client says what it wants at once. */
  add(socket: Socket): void {
    const name = nameOf(socket)
    this.sockets.set(name, socket)
    socket.once('close', () => {
      if (this.sockets.get(name) === socket) this.sockets.delete(name)
    })
    if (this.sockets.size <= this.maximum) return
    const [oldest] = this.sockets.values()
    oldest.destroy()
  }

  destroy(): void {
    for (const socket of [...this.sockets.values()]) socket.destroy()
  }

  /** It sent a whole request. An encrypted socket has the name of the one below it. */
  settle(socket: Socket): void {
    this.sockets.delete(nameOf(socket))
  }
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
