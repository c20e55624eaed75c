/** The hosts of a simulated world, the ways between them, and how a session between two of them comes about. */
import { SeededRandom } from './seeded-random.ts'
import type { SimulatedEvents } from './simulated-events.ts'
import type { SimulatedLife, Surroundings } from './simulated-life.ts'
import { type LinkConditions, SimulatedLink } from './simulated-link.ts'
import { SimulatedEnd } from './simulated-session.ts'

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '[::]'])

export interface Listening {
  /** By which names it can be reached. */
  readonly reach: 'loopback' | 'name' | 'any'
  readonly accept: (end: SimulatedEnd) => void
}

export class SimulatedFabric implements Surroundings {
  readonly events: SimulatedEvents
  /** Of links that are made from now on. */
  conditions: LinkConditions
  private readonly loopback: LinkConditions
  private readonly seed: number
  private readonly lives = new Map<string, SimulatedLife>()
  /** Hosts whose machine is off: nobody there refuses anything. */
  private readonly silent = new Set<string>()
  private readonly ports = new WeakMap<SimulatedLife, Map<number, Listening>>()
  private readonly links = new Map<string, SimulatedLink>()
  /** Hears what happens, a line each, if there is one. */
  readonly trace: ((line: string) => void) | null

  constructor(
    events: SimulatedEvents,
    seed: number,
    conditions: LinkConditions,
    loopback: LinkConditions,
    trace: ((line: string) => void) | null,
  ) {
    this.events = events
    this.seed = seed
    this.conditions = conditions
    this.loopback = loopback
    this.trace = trace
  }

  get allLinks(): Iterable<SimulatedLink> {
    return this.links.values()
  }

  /** The process that runs on a host, or ran last. */
  life(host: string): SimulatedLife | undefined {
    return this.lives.get(host)
  }

  setLife(life: SimulatedLife): void {
    this.lives.set(life.host, life)
    this.silent.delete(life.host)
  }

  /** What a process listens to, by port. */
  listening(life: SimulatedLife): Map<number, Listening> {
    let ports = this.ports.get(life)
    if (ports === undefined) {
      ports = new Map()
      this.ports.set(life, ports)
    }
    return ports
  }

  silence(host: string): void {
    this.silent.add(host)
  }

  isUp(host: string): boolean {
    const life = this.lives.get(host)
    return life !== undefined && life.state !== 'dead'
  }

  link(from: string, to: string): SimulatedLink {
    const name = `${from}>${to}`
    let link = this.links.get(name)
    if (link === undefined) {
      const conditions = from === to ? this.loopback : this.conditions
      // By name, so that a host more does not change what happens between the others.
      link = new SimulatedLink(from, to, this.events, this.randomOf(name), conditions)
      this.links.set(name, link)
    }
    return link
  }

  /** A source of chance for one part of the world. */
  randomOf(name: string): SeededRandom {
    let hash = 0x811c9dc5
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    const root = new SeededRandom(this.seed)
    return new SeededRandom((root.uint32() >>> 11) * 0x100000000 + ((root.uint32() ^ hash) >>> 0))
  }

  /** A line for whoever follows the run. */
  note(text: string): void {
    this.trace?.(`${this.events.time} ${text}`)
  }

  /** Opens a session; the end hears that it is lost if nobody is there, or never if that cannot be known. */
  open(life: SimulatedLife, target: URL): SimulatedEnd {
    const end = new SimulatedEnd(life)
    const own = LOOPBACK_NAMES.has(target.hostname)
    const host = own ? life.host : target.hostname
    const port = Number(target.port === '' ? (target.protocol === 'https:' ? 443 : 80) : target.port)
    const there = this.link(life.host, host)
    const back = this.link(host, life.host)
    if (!this.lives.has(host)) {
      back.carry(life, () => end.lose(`there is no host ${host}`))
      return end
    }
    there.carry(null, () => {
      if (end.over || life.state === 'dead') return
      const other = this.lives.get(host)
      if (other === undefined || this.silent.has(host)) return
      const ports = this.listening(other)
      const listening = other.state === 'dead' ? undefined : ports.get(port)
      if (listening === undefined || listening.reach === (own ? 'name' : 'loopback')) {
        back.carry(life, () => end.lose(`nobody listens at ${host}:${port}`))
        return
      }
      const acceptor = new SimulatedEnd(other)
      SimulatedEnd.join(end, acceptor, there, back)
      this.note(`${life.host}>${host}:${port} opened`)
      this.events.at(this.events.time, other, () => {
        if (ports.get(port) === listening) listening.accept(acceptor)
        else acceptor.reset()
      })
    })
    return end
  }
}
