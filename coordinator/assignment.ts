/** Which worker each partition of a job's sources is fed to: even, and the same as before as long as that is. */
import type { SourceAssignment } from '../runtime/protocol/control.ts'
import type { WorkerRange } from './placement.ts'

export interface PartitionSeen {
  readonly input: string
  readonly partition: string
  /** Processes that see it; all, unless it has just come or gone. */
  readonly processes: ReadonlySet<string>
}

/**
 * @param previous by `partitionKey` the worker, in the numbers of the new generation, or -1
 * @param offset where to begin, so that jobs of one partition each do not all meet at one worker
 */
export function assignPartitions(
  partitions: readonly PartitionSeen[],
  members: readonly WorkerRange[],
  previous: ReadonlyMap<string, number>,
  offset: number,
): SourceAssignment[] {
  const order = interleaved(members, offset)
  const most = Math.ceil(partitions.length / order.length)
  const load = new Map(order.map(({ worker }) => [worker, 0]))
  const take = (worker: number): number => {
    load.set(worker, (load.get(worker) as number) + 1)
    return worker
  }
  const chosen = new Map<PartitionSeen, number>()
  for (const one of partitions) {
    const before = previous.get(partitionKey(one.input, one.partition)) ?? -1
    const same = order.find(({ worker }) => worker === before)
    if (same === undefined || (load.get(before) as number) >= most || !sees(one, same.process)) continue
    chosen.set(one, take(before))
  }
  return partitions.map((one) => {
    const { input, partition } = one
    const kept = chosen.get(one)
    if (kept !== undefined) return { input, partition, worker: kept }
    let best = order[0]
    for (const candidate of order) {
      const better = Number(sees(one, candidate.process)) - Number(sees(one, best.process))
      if (better > 0 || (better === 0 && (load.get(candidate.worker) as number) < (load.get(best.worker) as number))) best = candidate
    }
    return { input, partition, worker: take(best.worker) }
  })
}

export function partitionKey(input: string, partition: string): string {
  return JSON.stringify([input, partition])
}

function sees(one: PartitionSeen, process: string): boolean {
  return one.processes.size === 0 || one.processes.has(process)
}

/** All workers, the first of each process before the second of any. */
function interleaved(members: readonly WorkerRange[], offset: number): { process: string; worker: number }[] {
  const order: { process: string; worker: number }[] = []
  const most = Math.max(...members.map(({ threads }) => threads))
  for (let thread = 0; thread < most; thread++)
    for (const { process, first, threads } of members) if (thread < threads) order.push({ process, worker: first + thread })
  const from = offset % order.length
  return [...order.slice(from), ...order.slice(0, from)]
}
