/**
 * What must be true of a cluster at every moment, checked against what its processes and coordinator say to each other.
 *
 * - Visible times only grow, whoever announces them, through failures of every kind.
 * - A time that was seen has fixed contents: the cuts at it never change once it is visible.
 * - Whatever anybody outside is told equals the oracle's answer at that time: rows as of a time, and the changes of each time.
 * - Nobody shows something old for longer than a lease lasts.
 */
import type { InputDefinitions } from '../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../operators/job.ts'
import { invariant, MillraceError } from '../runtime/error.ts'
import type { Cut, FromCoordinator, FromProcess } from '../runtime/protocol/control.ts'
import { type Multiset, Multisets } from './multiset.ts'
import { Oracle } from './oracle.ts'
import type { ScriptedSource } from './scripted-source.ts'
import type { Wiretap } from './wiretap.ts'

/** A read may show what was visible so long ago: a lease, and what messages take. Microseconds. */
export const STALENESS = 2_500_000

interface Moment {
  readonly time: number
  readonly rows: ReadonlyMap<string, Multiset>
  readonly changes: ReadonlyMap<string, Multiset>
}

export class Ledger {
  /** What the oracle says at each time so far, ascending. */
  readonly moments: Moment[] = []
  /** Of the newest generation that anybody was told to start. */
  generation = 0
  private readonly oracle: Oracle
  private readonly sources: Readonly<Record<string, ScriptedSource>>
  private readonly now: () => number
  /** Minted times after the oracle's, of the newest generation. */
  private minted = new Set<number>()
  /** By partition the cuts after the oracle's time, ascending. */
  private readonly cuts = new Map<string, Cut[]>()
  private readonly taken = new Map<string, number>()
  private readonly announced: { readonly at: number; readonly time: number }[] = []

  constructor(job: Job<InputDefinitions, OutputDefinitions>, sources: Readonly<Record<string, ScriptedSource>>, now: () => number) {
    this.oracle = new Oracle(job, sources)
    this.sources = sources
    this.now = now
  }

  /** The world's clock. */
  clock(): number {
    return this.now()
  }

  /** The last visible time; 0 before the first. */
  get visible(): number {
    return this.announced.at(-1)?.time ?? 0
  }

  /** Whether all changes of all sources are visible. */
  get isWhole(): boolean {
    for (const [input, source] of Object.entries(this.sources))
      for (const [partition, script] of source.scripts) if ((this.taken.get(`${input} ${partition}`) ?? 0) < script.length) return false
    return true
  }

  /** For one process. */
  tap(): Wiretap {
    return { onSent: (message) => this.sent(message), onReceived: (message) => this.received(message) }
  }

  /** Rows as of a time, as somebody read them at a process. */
  checkRead(who: string, output: string, time: number, rows: Multiset): void {
    this.checkSame(`${who} reads ${output} as of ${time}`, rows, this.at(time).rows.get(output))
  }

  /** A read that asked for no time: it shows what was visible when it began, or something later, however long it took. */
  checkFresh(who: string, time: number, begun: number): void {
    const limit = begun - STALENESS
    let due = 0
    for (const { at, time: then } of this.announced) if (at <= limit) due = then
    if (time < due) throw failure(`${who} shows time ${time}, although ${due} was visible ${STALENESS / 1_000_000} s ago`)
  }

  /** All changes of one time, as a follower was told. */
  checkChanges(who: string, output: string, time: number, changes: Multiset): void {
    if (time > this.visible) throw failure(`${who} is told changes of ${output} at ${time}, which is not visible: ${this.visible} is`)
    const moment = this.moments.find((one) => one.time === time)
    if (moment === undefined) throw failure(`${who} is told changes of ${output} at ${time}, which nobody minted`)
    this.checkSame(`${who} is told changes of ${output} at ${time}`, changes, moment.changes.get(output))
  }

  /** Times after one and up to another at which an output changes. */
  changedTimes(output: string, after: number, to: number): number[] {
    return this.moments
      .filter(({ time, changes }) => time > after && time <= to && (changes.get(output)?.size ?? 0) > 0)
      .map(({ time }) => time)
  }

  close(): void {
    this.oracle.close()
  }

  private at(time: number): Moment {
    let found: Moment | undefined
    for (const moment of this.moments) if (moment.time <= time) found = moment
    return found ?? { time: 0, rows: new Map(), changes: new Map() }
  }

  private checkSame(what: string, found: Multiset, expected: Multiset | undefined): void {
    const difference = Multisets.difference(found, expected ?? Multisets.empty())
    if (difference !== null) throw failure(`${what}:\n${difference}`)
  }

  private sent(message: FromProcess): void {
    // What a coordinator that crashed was never told, its processes hold and tell the next one.
    if (message.kind === 'hello' && message.held !== null && message.held.generation >= this.generation)
      for (const { cuts } of message.held.dataflows) for (const cut of cuts) this.cut(cut)
    if (message.kind !== 'report' || message.generation < this.generation) return
    for (const cut of message.cuts) this.cut(cut)
  }

  private received(message: FromCoordinator): void {
    if (message.kind === 'start' && message.generation >= this.generation) {
      if (message.generation > this.generation) {
        this.forgetAfter(Math.max(...message.replay.times, this.oracle.time))
      }
      this.generation = message.generation
      for (const time of message.replay.times) this.mint(time)
      for (const cut of message.replay.cuts) this.cut(cut)
    }
    if (message.kind !== 'advance' || message.generation < this.generation) return
    for (const { time } of message.minted) this.mint(time)
    for (const { time } of message.visible) this.announce(time)
  }

  /**
   * A new generation goes on from here: what was minted later is decided anew. What came before is durable, also where the new one is
   * not told of each time any more; who was stopped meanwhile may still tell it.
   */
  private forgetAfter(last: number): void {
    for (const time of [...this.minted]) if (time > last) this.minted.delete(time)
    for (const [key, cuts] of this.cuts)
      this.cuts.set(
        key,
        cuts.filter(({ time }) => time <= last),
      )
  }

  private mint(time: number): void {
    if (time > this.oracle.time) this.minted.add(time)
  }

  private cut(cut: Cut): void {
    const key = `${cut.input} ${cut.partition}`
    const position = cut.position === null ? 0 : (cut.position as number)
    if (cut.time <= this.oracle.time) {
      const taken = this.positionAt(key, cut.time)
      if (taken !== null && taken !== position)
        throw failure(`the cut of ${key} at ${cut.time} is ${position} now, and was ${taken} when the time was visible`)
      return
    }
    const known = this.cuts.get(key) ?? []
    this.cuts.set(key, known)
    const index = known.findIndex(({ time }) => time === cut.time)
    if (index >= 0) known[index] = cut
    else known.push(cut)
    known.sort((a, b) => a.time - b.time)
  }

  /** Null if the cut at a time that is over is not known any more: only the last one is. */
  private positionAt(key: string, time: number): number | null {
    return time === this.oracle.time ? (this.taken.get(key) ?? 0) : null
  }

  private announce(time: number): void {
    if (time <= this.visible) return
    for (const next of [...this.minted].filter((one) => one <= time).sort((a, b) => a - b)) {
      this.minted.delete(next)
      this.advance(next)
    }
    if (this.oracle.time !== time) throw failure(`${time} is visible, which nobody minted: the last minted one is ${this.oracle.time}`)
    this.announced.push({ at: this.now(), time })
  }

  private advance(time: number): void {
    const positions = new Map<string, Map<string, number>>()
    for (const [input, source] of Object.entries(this.sources)) {
      const partitions = new Map<string, number>()
      for (const partition of source.scripts.keys()) {
        const key = `${input} ${partition}`
        const cuts = this.cuts.get(key) ?? []
        while (cuts.length > 0 && cuts[0].time <= time) {
          const { position } = cuts.shift() as Cut
          const to = position === null ? 0 : (position as number)
          const from = this.taken.get(key) ?? 0
          if (to < from) throw failure(`the cut of ${key} at ${time} goes back from ${from} to ${to}`)
          this.taken.set(key, to)
        }
        partitions.set(partition, this.taken.get(key) ?? 0)
      }
      positions.set(input, partitions)
    }
    invariant(time > this.oracle.time, 'times go on')
    this.oracle.advance(time, positions)
    const copy = (sets: ReadonlyMap<string, Multiset>): Map<string, Multiset> =>
      new Map([...sets].map(([name, set]) => [name, new Map(set)]))
    this.moments.push({ time, rows: copy(this.oracle.rows), changes: copy(this.oracle.changes) })
  }
}

/** Something that a cluster must never do. */
export function failure(message: string): MillraceError {
  return new MillraceError('INVARIANT', message)
}
