/**
 * A thread whose actor does what the names of fed inputs say, so that a test can see what the loop makes of it. It answers by
 * `complete` events, of which the dataflow says about what and the time how much.
 */
import { nodeThreadSurroundings } from '../../../runtime/env/node-thread-surroundings.ts'
import type { Configure, ThreadCommand } from '../../../runtime/protocol/thread.ts'
import { OUTBOUND_WINDOW_BYTES, type ThreadActor, type ThreadOutlet } from '../../../worker/thread-actor.ts'
import { runDataflowThread } from '../../../worker/thread-main.ts'

class ScriptedActor implements ThreadActor {
  private readonly outlet: ThreadOutlet
  private configured: Configure | null = null
  private work = 0
  private closed = false
  private readonly heard = new Map<number, number>()

  constructor(outlet: ThreadOutlet) {
    this.outlet = outlet
  }

  get idle(): boolean {
    return this.work === 0
  }

  get wantsFeed(): boolean {
    return !this.closed && this.outlet.outboundBytes <= OUTBOUND_WINDOW_BYTES
  }

  handle(command: ThreadCommand): void {
    if (command.kind === 'configure') this.configured = command
    else if (command.kind === 'feed') this.feed(command.input, command.dataflow)
    else if (command.kind === 'advance') this.outlet.event({ kind: 'complete', dataflow: command.dataflow, time: command.time })
    else if (command.kind === 'start') this.closed = false
    else if (command.kind === 'drop') this.closed = true
    else if (command.kind === 'ask-stats') {
      const load = this.outlet.load()
      const { outboundBytes } = this.outlet
      this.outlet.event({ kind: 'stats', stats: { worker: this.configured?.index ?? -1, ...load, outboundBytes, dataflows: [] } })
    } else if (command.kind === 'stop') this.outlet.event({ kind: 'complete', dataflow: -1, time: this.total() })
  }

  /** Messages are numbers, from 0 on by sender, padded with their last byte. The last one of a flood is answered. */
  takePeer(from: number, bytes: Uint8Array): void {
    if (bytes.byteOffset % 8 !== 0) throw new Error('not aligned')
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const number = view.getInt32(0, true)
    const expected = this.heard.get(from) ?? 0
    if (number !== expected) throw new Error(`message ${number} of worker ${from} in place of ${expected}`)
    for (let i = 8; i < bytes.length; i += 1 + (bytes.length >> 8)) if (bytes[i] !== (number & 255)) throw new Error('a torn message')
    this.heard.set(from, number + 1)
    if (view.getInt32(4, true) === 1) this.outlet.event({ kind: 'complete', dataflow: from, time: number + 1 })
  }

  step(): void {
    if (this.work > 0) this.work--
  }

  private feed(input: string, amount: number): void {
    const [what, to, size] = input.split(' ')
    if (what === 'flood') this.flood(Number(to), amount, Number(size))
    else if (what === 'throw') throw new Error('as told')
    else if (what === 'work') this.work += amount
    else if (what === 'spin') for (;;);
    else if (what === 'grow') for (const rows: object[][] = []; ; ) rows.push(Array.from({ length: 1000 }, () => ({})))
    else if (what === 'taken') this.outlet.event({ kind: 'complete', dataflow: -2, time: amount })
  }

  private flood(to: number, count: number, size: number): void {
    for (let i = 0; i < count; i++) {
      const length = Math.max(8, size > 0 ? size : 8 + ((i * 7919) % -size))
      const bytes = new Uint8Array(length).fill(i & 255)
      new DataView(bytes.buffer).setInt32(0, i, true)
      new DataView(bytes.buffer).setInt32(4, i === count - 1 ? 1 : 0, true)
      this.outlet.peer(to, bytes)
      bytes.fill(0)
    }
  }

  private total(): number {
    let total = 0
    for (const count of this.heard.values()) total += count
    return total
  }
}

runDataflowThread(nodeThreadSurroundings(), (outlet) => new ScriptedActor(outlet))
