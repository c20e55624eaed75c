/** Puts the status of a cluster together from what its leader knows. */
import type { ThreadStats } from '../runtime/protocol/control.ts'
import type { Dataflow } from './dataflow.ts'
import type { DataflowRun, RunPhase } from './dataflow-run.ts'
import type { JobFact } from './facts.ts'
import type { Group } from './group.ts'
import { isoTime } from './history.ts'
import type { Leader } from './leader.ts'
import type { Participant } from './participant.ts'
import type { ClusterStatus, GroupStatus, Holdback, JobStatus, ProcessStatus, ShardStatus } from './status.ts'

const JOB_STATES: Readonly<Record<RunPhase, JobStatus['state']>> = {
  queued: 'waiting',
  installing: 'starting',
  hydrating: 'hydrating',
  running: 'running',
  stopped: 'waiting',
}

/** Shards of a job that are named at most. */
const BUSIEST_SHARDS = 8

export function clusterStatus(leader: Leader, since: number): ClusterStatus {
  const { term } = leader
  return {
    cluster: leader.cluster,
    leader: term.lease.holder.url,
    epoch: term.lease.epoch,
    since: isoTime(since),
    now: isoTime(term.environment.clock.now()),
    groups: [...leader.groups.values()].map(groupStatus),
    jobs: jobStatuses(leader),
    events: [...term.history.events],
  }
}

export function jobStatuses(leader: Leader): JobStatus[] {
  return [...leader.catalog.all()].map(({ fact, dataflow }) => jobStatus(leader, fact, dataflow))
}

export function jobStatus(leader: Leader, fact: JobFact, dataflow: Dataflow): JobStatus {
  const group = leader.groups.get(fact.group)
  const run = group?.generation?.runs.get(dataflow.number)
  const { log, timeline } = dataflow
  const minted = Math.max(log.visible, run?.open.at(-1)?.time ?? 0)
  const sums = { rows: 0, errors: 0, stateBytes: 0 }
  for (const thread of threadsOf(group))
    for (const one of thread.dataflows) {
      if (one.dataflow !== dataflow.number) continue
      sums.rows += one.rows
      sums.errors += one.errors
      sums.stateBytes += one.stateBytes
    }
  const state = fact.failure !== null ? 'failed' : run === undefined ? 'waiting' : JOB_STATES[run.phase]
  return {
    name: fact.name,
    group: fact.group,
    digest: fact.digest,
    state,
    message: fact.failure?.message ?? waitsFor(state, group, run),
    deployed: isoTime(fact.deployed),
    dataflow: dataflow.number,
    minted: minted > log.visible || log.first !== null ? Math.min(minted, timeline.minted) : null,
    visible: log.first === null ? null : log.visible,
    open: run?.open.length ?? 0,
    lagMilliseconds: run === undefined ? 0 : Math.round(run.lag(leader.term.now()) / 1000),
    heldBackBy: group === undefined || run === undefined ? null : holdback(group, run),
    ...sums,
    busiestShards: busiestShards(group, dataflow.number),
  }
}

function groupStatus(group: Group): GroupStatus {
  const { fact, term } = group
  return {
    name: group.name,
    generation: fact.generation,
    state: group.state,
    since: fact.generation === 0 ? null : isoTime(fact.began),
    reason: fact.reason,
    processes: [...group.processes.values()].map((participant) => processStatus(group, participant, term.now())),
  }
}

function processStatus(group: Group, participant: Participant, now: number): ProcessStatus {
  const member = group.fact.members.find((one) => one.process === participant.id)
  const shardsOf = (worker: number): number => group.fact.owners.filter((owner) => owner === worker).length
  const workers = (participant.stats?.threads ?? []).map((thread) => ({
    worker: thread.worker,
    shards: shardsOf(thread.worker),
    busy: thread.busy,
    outboundBytes: thread.outboundBytes,
    inboundMessages: thread.inboundMessages,
    heapBytes: thread.heapBytes,
  }))
  return {
    process: participant.id,
    name: participant.name,
    state: stateOf(participant, member !== undefined, now),
    problem: participant.exclusion !== null && now < participant.exclusion.until ? participant.exclusion.reason : null,
    address: participant.address,
    admin: participant.admin,
    version: participant.version,
    threads: participant.threads,
    shards:
      member === undefined ? 0 : group.fact.owners.filter((owner) => owner >= member.first && owner < member.first + member.threads).length,
    memoryBytes: participant.stats?.memoryBytes ?? null,
    heartbeatAgeMilliseconds: Math.round((now - participant.heardAt) / 1000),
    workers,
  }
}

function stateOf(participant: Participant, isMember: boolean, now: number): ProcessStatus['state'] {
  if (participant.released) return 'released'
  if (participant.leaving) return 'leaving'
  if (participant.session === null) return 'disconnected'
  if (participant.exclusion !== null && now < participant.exclusion.until) return 'left out'
  return isMember ? 'member' : 'joining'
}

function waitsFor(state: JobStatus['state'], group: Group | undefined, run: DataflowRun | undefined): string | null {
  if (state === 'waiting') {
    if (group === undefined || group.processes.size === 0) return 'waits for processes of its group'
    return run === undefined ? 'waits for a generation of its group' : 'waits for the jobs before it'
  }
  return state === 'starting' && run !== undefined ? `waits for ${run.missing.join(', ')}` : null
}

/** The process, and in it the worker and operator, that are least far. */
function holdback(group: Group, run: DataflowRun): Holdback | null {
  const target = run.open.length > 0 ? run.open[0].time : run.phase === 'hydrating' ? run.dataflow.log.visible : null
  if (target === null) return null
  let worst: Participant | null = null
  let least = Number.POSITIVE_INFINITY
  for (const participant of group.processes.values()) {
    if (group.generation?.isMember(participant.id) !== true) continue
    const complete = run.completeAt(participant.id) ?? Number.NEGATIVE_INFINITY
    if (complete >= target || (worst !== null && complete >= least)) continue
    worst = participant
    least = complete
  }
  if (worst === null) return null
  let slowest: { worker: number; complete: number; holder: string | null } | null = null
  for (const thread of worst.stats?.threads ?? [])
    for (const { dataflow, complete, holder } of thread.dataflows)
      if (dataflow === run.dataflow.number && (slowest === null || complete < slowest.complete))
        slowest = { worker: thread.worker, complete, holder }
  return {
    process: worst.name,
    worker: slowest?.worker ?? null,
    operator: slowest?.holder ?? null,
    complete: Number.isFinite(least) ? least : null,
  }
}

function busiestShards(group: Group | undefined, number: number): ShardStatus[] {
  let all = 0
  const found: { readonly shard: number; readonly rows: number; readonly worker: number; readonly process: string }[] = []
  for (const { name, stats } of group?.processes.values() ?? [])
    for (const { worker, dataflows } of stats?.threads ?? [])
      for (const { dataflow, shards } of dataflows) {
        if (dataflow !== number || shards === undefined || shards === null) continue
        all += shards.rows
        for (const [shard, rows] of shards.busiest) found.push({ shard, rows, worker, process: name })
      }
  found.sort((a, b) => b.rows - a.rows)
  return found.slice(0, BUSIEST_SHARDS).map(({ shard, rows, worker, process }) => ({ shard, share: rows / all, worker, process }))
}

function threadsOf(group: Group | undefined): ThreadStats[] {
  if (group === undefined) return []
  return [...group.processes.values()].flatMap((participant) => participant.stats?.threads ?? [])
}
