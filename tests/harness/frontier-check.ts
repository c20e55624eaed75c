/**
 * What frontiers outside loops may be, from the true state of all workers: every batch in a queue, every frame on a link, every
 * time that an operator has kept. A frontier must never pass a time that can still appear, and at rest must not be behind.
 */

import { LeaveOperator } from '../../operators/loop-border.ts'
import type { ExchangeReceiver } from '../../runtime/channel/exchange-receiver.ts'
import { ExchangeSender } from '../../runtime/channel/exchange-sender.ts'
import type { Batch } from '../../runtime/data/batch.ts'
import type { Dataflow } from '../../runtime/graph/dataflow.ts'
import { Operator } from '../../runtime/graph/operator.ts'
import type { Region } from '../../runtime/graph/region.ts'
import type { Schedulable } from '../../runtime/graph/schedulable.ts'
import type { SimulatedGroup } from '../../worker/simulated-group.ts'

const NEVER = Number.POSITIVE_INFINITY

export class FrontierCheck {
  private readonly group: SimulatedGroup
  private readonly graphs: readonly Dataflow[]
  /** By worker and operator: the least time that it kept when it last ran. */
  private readonly kept: Float64Array[]
  /** By worker and loop: how many times are held inside, by outer time. */
  private readonly heldInside: Map<number, number>[][]
  /** By worker: the operators inside loops, with the number of the loop. */
  private readonly members: Map<Schedulable, number>[]
  checks = 0

  /** Call before anything happens. Watches the operators' steps from then on. */
  constructor(group: SimulatedGroup, graphs: readonly Dataflow[]) {
    this.group = group
    this.graphs = graphs
    this.kept = graphs.map((graph) => {
      const kept = new Float64Array(graph.operators.length).fill(NEVER)
      for (const operator of graph.operators) this.watch(operator, kept)
      return kept
    })
    this.heldInside = graphs.map((graph) => (graph.regions as Region[]).map(watchHolds))
    this.members = graphs.map(
      ({ regions }) => new Map(regions.flatMap((region, r) => [...region.outline().members].map((one) => [one, r]))),
    )
    graphs.forEach((graph, worker) => {
      for (const operator of graph.operators) if (operator instanceof Operator && !this.members[worker].has(operator)) watchOrder(operator)
    })
  }

  private watch(operator: Schedulable, kept: Float64Array): void {
    const step = operator.step
    operator.step = () => {
      step.call(operator)
      kept[operator.id] = operator.inputs.length > 0 && operator.frontier < operator.inputFrontier() ? operator.frontier : NEVER
    }
  }

  /** By loop: the least outer time of anything inside, on any worker or on its way. */
  private possibleInside(): number[] {
    const least = this.graphs[0].regions.map(() => NEVER)
    this.graphs.forEach((graph, worker) => {
      graph.regions.forEach((region, r) => {
        const { entrances, exits } = region.outline()
        for (const outer of this.heldInside[worker][r].keys()) least[r] = Math.min(least[r], outer)
        for (const operator of graph.operators) {
          if (this.members[worker].get(operator) !== r && !exits.some((exit) => exit.operator === operator)) continue
          const entering = entrances.some((entrance) => entrance.operator === operator)
          for (const port of operator.inputs)
            for (let i = 0; i < port.length; i++) {
              const batch = port.at(i)
              if (batch === null) continue
              if (entering) least[r] = Math.min(least[r], batch.time)
              else if (batch.times === null) least[r] = Math.min(least[r], region.times.outer(batch.time))
              else for (let j = 0; j < batch.n; j++) least[r] = Math.min(least[r], region.times.outer(batch.times[j]))
            }
        }
      })
      for (const operator of graph.operators) {
        const region = this.members[worker].get(operator)
        if (region === undefined) continue
        const { times } = graph.regions[region]
        for (const batch of betweenWorkers(operator))
          for (let j = 0; j < batch.n; j++) least[region] = Math.min(least[region], times.outer(batch.times?.[j] ?? batch.time))
      }
      for (const message of this.group.underWay(worker)) {
        if (message.kind !== 'frame' || message.times === null) continue
        const region = this.members[worker].get(graph.operators[message.target]) as number
        for (let p = 0; p < message.times.length; p += message.depth + 1) least[region] = Math.min(least[region], message.times[p])
      }
    })
    return least
  }

  /** @throws Error naming the operator whose frontier is wrong */
  run(atRest: boolean): void {
    this.checks++
    const { graphs } = this
    const size = graphs[0].operators.length
    /** The least time that can still appear at the output of each operator of each worker. */
    const possible = graphs.map((graph, worker) =>
      Float64Array.from(graph.operators, (operator, id) => {
        if (this.members[worker].has(operator)) return NEVER
        if (operator instanceof LeaveOperator) return operator.heldTime()
        let least = operator.inputs.length === 0 && !isReceiver(operator) ? operator.frontier : this.kept[worker][id]
        for (const port of operator.inputs) for (let i = 0; i < port.length; i++) least = Math.min(least, port.at(i)?.time ?? NEVER)
        if (isReceiver(operator)) for (const batch of operator.waiting) least = Math.min(least, batch.time)
        return least
      }),
    )
    /** By receiver: the least time that a sender on any worker can still send at. */
    const sent = new Float64Array(size).fill(NEVER)
    /** By worker and receiver: the least time of frames on their way. */
    const coming = graphs.map(() => new Float64Array(size).fill(NEVER))
    graphs.forEach((graph, to) => {
      for (const operator of graph.operators) {
        if (!(operator instanceof ExchangeSender) || this.members[to].has(operator)) continue
        for (const batch of operator.gathered) sent[operator.target] = Math.min(sent[operator.target], batch.time)
      }
      for (const message of this.group.underWay(to))
        if (message.kind === 'frame' && message.times === null)
          coming[to][message.target] = Math.min(coming[to][message.target], message.time)
    })
    const inside = this.possibleInside()
    // Operators are in topological order, so one pass over all carries the minima down.
    for (let id = 0; id < size; id++) {
      graphs.forEach((graph, worker) => {
        const operator = graph.operators[id]
        if (isReceiver(operator)) possible[worker][id] = Math.min(possible[worker][id], sent[id], coming[worker][id])
        if (this.members[worker].has(operator)) return
        if (operator instanceof LeaveOperator) {
          const region = graph.regions.findIndex((one) => one.outline().exits.some((exit) => exit.operator === operator))
          possible[worker][id] = Math.min(possible[worker][id], inside[region])
        }
        for (const port of operator.readers) {
          const region = this.members[worker].get(port.operator)
          if (region !== undefined) inside[region] = Math.min(inside[region], possible[worker][id])
        }
        for (const port of operator.readers)
          possible[worker][port.operator.id] = Math.min(possible[worker][port.operator.id], possible[worker][id])
        if (operator instanceof ExchangeSender) sent[operator.target] = Math.min(sent[operator.target], possible[worker][id])
      })
    }
    graphs.forEach((graph, worker) => {
      for (const operator of graph.operators) {
        if (this.members[worker].has(operator)) continue
        const ideal = possible[worker][operator.id]
        const name = `${operator.name}#${operator.id} on worker ${worker} of ${graphs.length}`
        if (operator.frontier > ideal) throw new Error(`the frontier of ${name} is ${operator.frontier}, and ${ideal} can still appear`)
        if (atRest && operator.frontier < ideal) throw new Error(`at rest the frontier of ${name} is ${operator.frontier}, behind ${ideal}`)
        if (!isReceiver(operator)) continue
        // What the worker knows, whatever its receiver has done with it: frames that are there may still wait.
        const known = this.group.workers[worker].dataflows[0].frontierAt(operator.id)
        const least = Math.min(sent[operator.id], coming[worker][operator.id])
        if (known > least) throw new Error(`worker ${worker} takes ${known} for the frontier of ${name}, and ${least} can still come`)
        if (atRest && known < least) throw new Error(`at rest worker ${worker} takes ${known} for the frontier of ${name}, behind ${least}`)
      }
    })
  }
}

/** Rows that wait to be sent to another worker, or to be taken from what arrived. */
function betweenWorkers(operator: Schedulable): readonly Batch[] {
  if (operator instanceof ExchangeSender) return operator.gathered
  return isReceiver(operator) ? operator.waiting : []
}

/** Counts what a loop's operators hold, by outer time. */
function watchHolds(region: Region): Map<number, number> {
  const held = new Map<number, number>()
  const { hold } = region
  region.hold = (holder, time, delta) => {
    const outer = region.times.outer(time)
    held.set(outer, (held.get(outer) ?? 0) + delta)
    if (held.get(outer) === 0) held.delete(outer)
    hold.call(region, holder, time, delta)
  }
  return held
}

/** Outside loops an operator sends in the order of times, and nothing below its frontier. */
function watchOrder(operator: Operator): void {
  const { send } = operator
  let last = Number.NEGATIVE_INFINITY
  operator.send = (batch) => {
    const { time } = batch
    if (batch.n > 0 && batch.times === null && (time < last || time < operator.frontier))
      throw new Error(`${operator.name}#${operator.id} sends at ${time} after ${last}, its frontier being ${operator.frontier}`)
    if (batch.n > 0 && batch.times === null) last = time
    send.call(operator, batch)
  }
}

function isReceiver(operator: Schedulable): operator is Schedulable & ExchangeReceiver {
  return operator.name === 'exchanged'
}
