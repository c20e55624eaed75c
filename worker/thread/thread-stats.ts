/** What a thread says of a dataflow for people: how far it is, what holds it back, and how much it keeps. */
import type { Schedulable } from '../../runtime/graph/schedulable.ts'
import type { ThreadStats } from '../../runtime/protocol/control.ts'
import type { ThreadDataflow } from './thread-dataflow.ts'

type DataflowStats = ThreadStats['dataflows'][number]

/** Counting keys takes a pass over them: at most one part in so many of the time goes into it. */
const COUNTING_SHARE = 100

interface Counted {
  readonly stateBytes: number
  readonly rows: number
  readonly outputRows: Readonly<Record<string, number>>
  /** Not counted again before this. */
  readonly until: number
}

export class StatsCounter {
  private readonly monotonic: () => number
  private readonly counted = new WeakMap<ThreadDataflow, Counted>()

  /** @param monotonic microseconds */
  constructor(monotonic: () => number) {
    this.monotonic = monotonic
  }

  of(dataflow: ThreadDataflow): DataflowStats {
    const { stateBytes, rows, outputRows } = this.count(dataflow)
    const { id, complete, errorCount } = dataflow
    const shards = dataflow.graph.exchanger?.shardSample.load() ?? null
    return { dataflow: id, complete, holder: holderOf(dataflow), stateBytes, rows, errors: errorCount, outputRows, shards }
  }

  private count(dataflow: ThreadDataflow): Counted {
    const before = this.counted.get(dataflow)
    const start = this.monotonic()
    if (before !== undefined && start < before.until) return before
    let stateBytes = 0
    let rows = 0
    for (const operator of dataflow.graph.operators) {
      const stats = operator.stateStats()
      if (stats === null) continue
      stateBytes += stats.bytes
      rows += stats.rows
    }
    for (const table of dataflow.graph.keyTables) stateBytes += table.bytes
    const { outputRows } = dataflow
    const end = this.monotonic()
    const counted = { stateBytes, rows, outputRows, until: end + COUNTING_SHARE * (end - start) }
    this.counted.set(dataflow, counted)
    return counted
  }
}

/**
 * The operator that is least far; of several the one that is behind its own inputs, since the others wait for it. Operators inside
 * loops have times of their own.
 */
function holderOf({ graph, minted, complete }: ThreadDataflow): string | null {
  if (complete >= minted.last) return null
  const inside = new Set<Schedulable>(graph.regions.flatMap((region) => [...region.outline().members]))
  let least: Schedulable | null = null
  for (const operator of graph.operators) {
    if (inside.has(operator) || operator.frontier > minted.last) continue
    if (least === null || operator.frontier < least.frontier) least = operator
    else if (operator.frontier === least.frontier && !isBehindInputs(least) && isBehindInputs(operator)) least = operator
  }
  return least === null ? null : `${least.name}#${least.id}`
}

function isBehindInputs(operator: Schedulable): boolean {
  return operator.inputs.length === 0 || operator.inputFrontier() > operator.frontier
}
