/**
 * What is known to the test of everything that scripted processes were told and did, and what must hold of it. Each check
 * throws at the moment at which the promise is broken.
 */
import { VIRTUAL_SHARDS } from '../../runtime/data/key-hash.ts'
import type { Prepare, Replay } from '../../runtime/protocol/control.ts'
import type { Position } from '../../runtime/protocol/position.ts'

type Cuts = Map<string, Position | null>

/** A process as the ledger asks it whether it still shows something. */
export interface Shower {
  readonly name: string
  readonly group: string
  readonly generation: number
  /** Whether it would answer a read now: its lease is valid, it runs, and its generation has something visible. */
  readonly shows: boolean
}

class DataflowLedger {
  /** By generation and time: what each partition had been read up to when the time was sealed. */
  readonly sealed = new Map<number, Map<number, Cuts>>()
  /** By generation: times of which it has not been looked at whether they are visible. */
  readonly pending = new Map<number, Set<number>>()
  /** Of times that somebody was told are visible. */
  readonly shown = new Map<number, { readonly cuts: string; readonly generation: number }>()
  /** First generation and epoch under which a time was told as minted. */
  readonly minted = new Map<number, { readonly generation: number; readonly epoch: number }>()
  /** By epoch and generation: the greatest time. */
  readonly lastMinted = new Map<string, number>()
  visible = 0
}

export class Ledger {
  readonly showers = new Set<Shower>()
  private readonly dataflows = new Map<number, DataflowLedger>()
  private readonly generations = new Map<string, string>()

  prepared(epoch: number, prepare: Prepare, durable: number): void {
    const { group, generation, members, owners } = prepare
    must(generation <= durable, `generation ${generation} of ${group} was told before it was durable (${durable})`)
    const same = JSON.stringify({ epoch, members, owners })
    const key = `${group}/${generation}`
    must((this.generations.get(key) ?? same) === same, `generation ${generation} of ${group} has two different beginnings`)
    this.generations.set(key, same)
    must(owners.length === VIRTUAL_SHARDS, `${owners.length} shards have an owner`)
    const workers = members.reduce((sum, { threads }) => sum + threads, 0)
    const counts = new Array(workers).fill(0)
    for (const owner of owners) {
      must(Number.isInteger(owner) && owner >= 0 && owner < workers, `a shard is owned by worker ${owner} of ${workers}`)
      counts[owner]++
    }
    must(Math.max(...counts) - Math.min(...counts) <= 1, `shards are placed unevenly: ${counts.join(' ')}`)
  }

  /** A process was told that a time is minted. */
  minted(dataflow: number, epoch: number, generation: number, time: number): void {
    const ledger = this.of(dataflow)
    if (ledger.minted.has(time)) {
      must(ledger.minted.get(time)?.generation === generation, `time ${time} was minted in two generations`)
      return
    }
    ledger.minted.set(time, { generation, epoch })
    const under = `${epoch}/${generation}`
    for (const [other, last] of ledger.lastMinted) {
      const [otherEpoch, otherGeneration] = other.split('/').map(Number)
      if (otherEpoch < epoch || otherGeneration < generation) must(last < time, `time ${time} was minted after ${last}, which is greater`)
    }
    ledger.lastMinted.set(under, Math.max(time, ledger.lastMinted.get(under) ?? 0))
  }

  sealed(dataflow: number, generation: number, time: number, partition: string, position: Position | null): void {
    cutsOf(this.of(dataflow), generation, time).set(partition, position)
  }

  /** A dataflow was started: what was shown must come again as it was. */
  replayed(dataflow: number, generation: number, since: number, replay: Replay): void {
    const ledger = this.of(dataflow)
    must(replay.times.length === 0 || replay.times[0] > since, 'a replay begins at or before its since')
    for (const time of replay.times) cutsOf(ledger, generation, time)
    for (const { input, partition, time, position } of replay.cuts) cutsOf(ledger, generation, time).set(`${input}/${partition}`, position)
    for (const [time, { cuts, generation: first }] of ledger.shown) {
      // Whoever stood still hears of its start when others are in a later generation already.
      if (time <= since || first >= generation) continue
      const again = ledger.sealed.get(generation)?.get(time)
      must(again !== undefined, `time ${time} was visible, and generation ${generation} does not compute it again (since ${since})`)
      must(
        canonical(again as Cuts) === cuts,
        `time ${time} of generation ${generation} has other rows than when it was shown: ${canonical(again as Cuts)}, not ${cuts}`,
      )
    }
  }

  /** A process was told that all times up to this one are visible. */
  visible(
    dataflow: number,
    group: string,
    generation: number,
    time: number,
    completes: ReadonlyMap<string, number>,
    partitions: readonly string[],
  ): void {
    const ledger = this.of(dataflow)
    for (const [process, complete] of completes)
      must(complete >= time, `time ${time} is visible, and ${process} is complete up to ${complete} only`)
    const cuts = ledger.sealed.get(generation)
    const pending = ledger.pending.get(generation) ?? new Set()
    for (const sealed of pending) {
      if (sealed > time) continue
      pending.delete(sealed)
      if (ledger.shown.has(sealed)) continue
      const at = cuts?.get(sealed) as Cuts
      for (const partition of partitions) must(at.has(partition), `time ${sealed} is visible, and the cut of ${partition} is not known`)
      ledger.shown.set(sealed, { cuts: canonical(at), generation })
    }
    must(cuts?.has(time) === true, `time ${time} is visible, which generation ${generation} never had`)
    if (time <= ledger.visible) return
    for (const other of this.showers)
      must(
        other.group !== group || other.generation >= generation || !other.shows,
        `time ${time} of generation ${generation} is visible, while ${other.name} still shows generation ${other.generation}`,
      )
    ledger.visible = time
  }

  lastVisible(dataflow: number): number {
    return this.of(dataflow).visible
  }

  get shownCount(): number {
    return [...this.dataflows.values()].reduce((sum, { shown }) => sum + shown.size, 0)
  }

  private of(dataflow: number): DataflowLedger {
    let ledger = this.dataflows.get(dataflow)
    if (ledger === undefined) {
      ledger = new DataflowLedger()
      this.dataflows.set(dataflow, ledger)
    }
    return ledger
  }
}

function cutsOf(ledger: DataflowLedger, generation: number, time: number): Cuts {
  let times = ledger.sealed.get(generation)
  if (times === undefined) {
    times = new Map()
    ledger.sealed.set(generation, times)
  }
  let cuts = times.get(time)
  if (cuts === undefined) {
    cuts = new Map()
    times.set(time, cuts)
    const pending = ledger.pending.get(generation) ?? new Set()
    ledger.pending.set(generation, pending)
    pending.add(time)
  }
  return cuts
}

function canonical(cuts: Cuts): string {
  return JSON.stringify([...cuts].filter(([, position]) => position !== null).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export class BrokenPromise extends Error {}

export function must(condition: boolean, what: string): void {
  if (!condition) throw new BrokenPromise(what)
}
