/**
 * What TCP gives two processes: a pair of ordered pipes, and sooner or later the news that they are lost. Connections and HTTP
 * exchanges are made of it.
 */

import type { LifeEnd, SimulatedLife } from './simulated-life.ts'
import { type SimulatedLink, SimulatedPipe } from './simulated-link.ts'

type Parcel = { readonly content: unknown } | { readonly lost: string }

export class SimulatedEnd implements LifeEnd {
  readonly life: SimulatedLife
  onParcel: (content: unknown) => void = ignore
  onLost: (reason: string) => void = ignore
  /** Something that was sent from here has been taken. */
  onTaken: () => void = ignore
  /** Nothing comes or goes any more. */
  over = false
  private outgoing: SimulatedPipe<Parcel> | null = null
  private other: SimulatedEnd | null = null
  /** Sent before the session was established, or while it is corked. */
  private early: { readonly content: unknown; readonly bytes: number }[] = []
  private corked = false

  constructor(life: SimulatedLife) {
    this.life = life
  }

  /** Makes a session of two ends; `there` and `back` are the ways from `opener` to `acceptor` and back. */
  static join(opener: SimulatedEnd, acceptor: SimulatedEnd, there: SimulatedLink, back: SimulatedLink): void {
    opener.start(acceptor, there)
    acceptor.start(opener, back)
  }

  /** The way that comes in here. */
  get incoming(): SimulatedLink | null {
    return this.other?.outgoing?.link ?? null
  }

  get peerHost(): string | null {
    return this.other?.life.host ?? null
  }

  /** Bytes that were sent and not taken. */
  get bytes(): number {
    return this.early.reduce((sum, { bytes }) => sum + bytes, this.outgoing?.bytes ?? 0)
  }

  send(content: unknown, bytes = 0): void {
    if (this.over) return
    if (this.outgoing === null || this.other === null || this.corked) {
      this.early.push({ content, bytes })
      return
    }
    if (this.other.life.state === 'dead') this.knock(this.outgoing.link, this.other.life.host)
    this.outgoing.send({ content }, bytes)
  }

  /** What is sent from now on waits. */
  cork(): void {
    this.corked = true
  }

  /** Sends `first`, and then what has waited; or instead of it. */
  uncork(first: unknown, instead = false): void {
    this.corked = false
    const waited = this.early.splice(0)
    this.send(first)
    if (!instead) for (const { content, bytes } of waited) this.send(content, bytes)
  }

  /** Takes no more for now, or again. */
  hold(held: boolean): void {
    const incoming = this.other?.outgoing
    if (held) incoming?.hold()
    else incoming?.release()
  }

  /** Has nothing more to send or to hear; what was sent is delivered. */
  finish(): void {
    this.over = true
    this.life.ends.delete(this)
  }

  /** Gives up: what is under way to the other end is lost, and it is told that the connection is. */
  reset(reason = 'the connection was lost'): void {
    if (this.over) return
    this.finish()
    this.outgoing?.cut()
    this.outgoing?.send({ lost: reason }, 0)
  }

  /** The process is gone: its kernel, if that lives, still sends the first few messages, and then that it was all. */
  orphan(told: boolean): void {
    this.over = true
    const { outgoing } = this
    if (!told || outgoing === null) return
    outgoing.cut(outgoing.link.random.below(outgoing.length + 1))
    outgoing.send({ lost: 'the connection was lost: the other process is gone' }, 0)
  }

  /** The connection breaks on the way: both ends hear of it, and all that is under way is lost. */
  break(): void {
    const { other } = this
    if (other === null || this.over || other.over) return
    for (const end of [this, other]) {
      end.outgoing?.cut()
      end.outgoing?.send({ lost: 'the connection was lost: it broke on the way' }, 0)
    }
  }

  /** This end hears that the connection is lost. */
  lose(reason: string): void {
    if (this.over) return
    this.finish()
    this.onLost(reason)
  }

  private start(other: SimulatedEnd, link: SimulatedLink): void {
    this.other = other
    this.outgoing = new SimulatedPipe(link, other.life, (parcel) => {
      if (other.over) return
      if ('lost' in parcel) other.lose(parcel.lost)
      else {
        other.onParcel(parcel.content)
        this.onTaken()
      }
    })
    this.life.ends.add(this)
    for (const { content, bytes } of this.early.splice(0)) this.outgoing.send({ content }, bytes)
  }

  /** A host that has started again knows nothing of old connections, and says so when it is spoken to. */
  private knock(link: SimulatedLink, host: string): void {
    const { life } = this
    link.carry(null, () => {
      if (life.world.isUp(host))
        life.world.link(host, life.host).carry(life, () => this.lose('the connection was lost: the other end knows nothing of it'))
    })
  }
}

function ignore(): void {}
