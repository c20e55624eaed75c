/** Sockets whose time is over, on Node. */
import { connect as connectSocket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { HEADERS_TIMEOUT_MILLISECONDS } from '../../runtime/env/node-network.ts'

describe('a port on Node', () => {
  it('closes sockets that do not say what they want in time, however slowly they talk', async () => {
    const server = await nodeEnvironment().network.serve(
      { port: 0, connections: { token: null, accept: () => undefined } },
      () => new Response('hello'),
    )
    const lifetime = (talk: (write: (text: string) => void) => void): Promise<number> =>
      new Promise((resolve) => {
        const started = Date.now()
        const socket = connectSocket(server.port, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.resume()
        const timer = setInterval(() => talk((text) => void socket.write(text)), 500)
        socket.once('close', () => {
          clearInterval(timer)
          resolve(Date.now() - started)
        })
        talk((text) => void socket.write(text))
      })
    let begun = false
    const drip = (write: (text: string) => void): void => {
      write(begun ? 'x-a: b\r\n' : 'GET /x HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n')
      begun = true
    }
    const lifetimes = await Promise.all([lifetime(() => undefined), lifetime(drip)])
    for (const milliseconds of lifetimes) {
      expect(milliseconds).toBeGreaterThan(HEADERS_TIMEOUT_MILLISECONDS - 1000)
      expect(milliseconds).toBeLessThan(HEADERS_TIMEOUT_MILLISECONDS + 5000)
    }
    await server.close()
  })
})
