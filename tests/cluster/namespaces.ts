/**
 * Hosts of a network of their own on this machine: network namespaces on a bridge (Linux, as root). Processes in them have an address
 * each, and cables can be pulled, and ways between two of them blocked, without anybody being told.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PREFIX = 'millrace-test-'
/** Of the third byte of addresses there are so many; tests at the same time have different ones. */
const NETWORKS = 250

export interface NetworkHost {
  readonly name: string
  readonly address: string
  /** Before a command, to run it there. */
  readonly wrapper: readonly string[]
  /** Pulls the cable out, or puts it in. */
  plug(plugged: boolean): void
  /** Nothing passes from here to another one, or passes again. */
  block(other: NetworkHost, blocked: boolean): void
}

export class Namespaces {
  /** Of this machine on the bridge. */
  readonly address: string
  private readonly id: string
  private readonly bridge: string
  private readonly network: string
  private readonly names: string[] = []

  /** Why there can be none here; null if there can. */
  static get problem(): string | null {
    try {
      const namespaces = new Namespaces()
      namespaces.add('probe')
      namespaces.close()
      return null
    } catch (error) {
      return `network namespaces cannot be made here: ${String((error as Error).message)
        .trim()
        .split('\n')
        .at(-1)}`
    }
  }

  /** @throws Error if the system does not let us */
  constructor() {
    this.removeForgotten()
    this.id = String(process.pid)
    this.bridge = `mb${this.id}`
    this.network = `10.213.${process.pid % NETWORKS}`
    this.address = `${this.network}.1`
    try {
      ip('link', 'add', this.bridge, 'type', 'bridge')
      ip('address', 'add', `${this.address}/24`, 'dev', this.bridge)
      ip('link', 'set', this.bridge, 'up')
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** @throws Error if the system does not let us */
  add(name: string): NetworkHost {
    const namespace = `${PREFIX}${this.id}-${name}`
    const number = this.names.length
    const [outside, inside] = [`mo${this.id}-${number}`, `mi${this.id}-${number}`]
    const address = `${this.network}.${number + 2}`
    this.names.push(namespace)
    ip('netns', 'add', namespace)
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside)
    ip('link', 'set', outside, 'master', this.bridge, 'up')
    ip('link', 'set', inside, 'netns', namespace)
    const there = (...parameters: string[]): void => ip('-n', namespace, ...parameters)
    there('address', 'add', `${address}/24`, 'dev', inside)
    there('link', 'set', inside, 'up')
    there('link', 'set', 'lo', 'up')
    return {
      name,
      address,
      wrapper: ['ip', 'netns', 'exec', namespace],
      plug: (plugged) => ip('link', 'set', outside, plugged ? 'up' : 'down'),
      block: (other, blocked) => there('route', blocked ? 'add' : 'delete', 'blackhole', `${other.address}/32`),
    }
  }

  close(): void {
    for (const name of this.names) quietly('netns', 'delete', name)
    this.names.length = 0
    quietly('link', 'delete', this.bridge)
  }

  /** Those of test runs that were killed. */
  private removeForgotten(): void {
    const text = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    for (const [, name, pid] of text.matchAll(new RegExp(`^(${PREFIX}(\\d+)-\\S+)`, 'gm'))) {
      if (existsSync(`/proc/${pid}`)) continue
      quietly('netns', 'delete', name)
      quietly('link', 'delete', `mb${pid}`)
    }
  }
}

function ip(...parameters: string[]): void {
  execFileSync('ip', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function quietly(...parameters: string[]): void {
  try {
    ip(...parameters)
  } catch {
    // It is not there any more.
  }
}
