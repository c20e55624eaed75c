/** The two networks, each with two parties, for tests that both must pass. */
import type { Connection } from '../../runtime/env/connection.ts'
import type { Network } from '../../runtime/env/network.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'
import { SimulatedWorld } from '../../runtime/env/simulated-world.ts'

export interface Stage {
  readonly server: Network
  readonly client: Network
  /** Where the server listens. */
  readonly host: string
  /** Lets things happen until a promise settles. */
  settled<T>(promise: Promise<T>): Promise<T>
  wait(milliseconds: number): Promise<void>
}

const SIMULATED_SECONDS = 120

export const stages: readonly (readonly [string, () => Stage])[] = [
  [
    'Node',
    () => ({
      server: nodeEnvironment().network,
      client: nodeEnvironment().network,
      host: '127.0.0.1',
      settled: (promise) => promise,
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    }),
  ],
  [
    'simulated',
    () => {
      const world = new SimulatedWorld({ seed: 7 })
      return {
        server: world.host('server').network,
        client: world.host('client').network,
        host: 'server',
        settled: (promise) => world.settled(promise, SIMULATED_SECONDS * 1_000_000),
        wait: (milliseconds) => world.run(milliseconds * 1000),
      }
    },
  ],
]

/** What one end of a connection got; keeps everything. */
export class Recorder {
  readonly connection: Connection
  readonly messages: Uint8Array[] = []
  readonly reasons: string[] = []
  drains = 0
  private readonly watchers = new Set<() => void>()

  constructor(connection: Connection, listens = true) {
    this.connection = connection
    if (listens) this.listen()
    connection.onClose = (reason) => {
      this.reasons.push(reason)
      this.stir()
    }
    connection.onDrain = () => {
      this.drains++
      this.stir()
    }
  }

  listen(): void {
    this.connection.onMessage = (bytes) => {
      this.messages.push(bytes)
      this.stir()
    }
  }

  got(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count)
  }

  closed(): Promise<void> {
    return this.until(() => this.reasons.length > 0)
  }

  drained(): Promise<void> {
    return this.until(() => this.drains > 0)
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return
        this.watchers.delete(check)
        resolve()
      }
      this.watchers.add(check)
      check()
    })
  }

  private stir(): void {
    for (const check of [...this.watchers]) check()
  }
}

/** A server that takes connections, and one connection to it. */
export async function pair(
  stage: Stage,
  options: { readonly maximumMessageBytes?: number; readonly listens?: boolean } = {},
): Promise<{ client: Recorder; server: Recorder; close: () => Promise<void> }> {
  const { maximumMessageBytes } = options
  const limit = maximumMessageBytes === undefined ? {} : { maximumMessageBytes }
  const accepted: Recorder[] = []
  const server = await stage.server.serve(
    {
      host: stage.host,
      port: 0,
      connections: { token: 'sesame', accept: (connection) => void accepted.push(new Recorder(connection, options.listens)), ...limit },
    },
    () => new Response(),
  )
  const connection = await stage.settled(stage.client.connect(`${server.url}/x`, { token: 'sesame', ...limit }))
  return { client: new Recorder(connection), server: accepted[0], close: () => stage.settled(server.close()) }
}

/** A message that tells its number, its length varied. */
export function numbered(n: number, bytes = 4 + ((n * 7919) % 3000)): Uint8Array {
  const message = new Uint8Array(bytes).fill(n)
  new DataView(message.buffer).setUint32(0, n)
  return message
}

export function numberOf(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(0)
}
