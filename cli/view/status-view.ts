/** The status of a cluster as people read it: who is there, which jobs run, who holds them back, and what happened. */
import type { HistoryEvent } from '../../coordinator/history.ts'
import type { ClusterStatus, GroupStatus, Holdback, JobStatus, ProcessStatus } from '../../coordinator/status.ts'
import { VIRTUAL_SHARDS } from '../../runtime/data/key-hash.ts'
import { type Column, tableLines } from './table.ts'
import { bytesText, countText, durationText, momentText, shareText } from './units.ts'

export interface StatusViewOptions {
  /** The last so many. */
  readonly events: number
  /** A line for each dataflow thread, too. */
  readonly threads: boolean
  /** The busiest virtual shards of each job. */
  readonly shards: boolean
}

const right = (title: string): Column => ({ title, align: 'right' })
const left = (title: string): Column => ({ title })

const PROCESS_COLUMNS = [
  left('PROCESS'),
  left('STATE'),
  right('THREADS'),
  right('SHARDS'),
  right('BUSY'),
  right('QUEUED'),
  right('MEMORY'),
  right('HEARD'),
  left('ADDRESS'),
]
const THREAD_COLUMNS = [right('WORKER'), left('PROCESS'), right('SHARDS'), right('BUSY'), right('TO SEND'), right('TO TAKE'), right('HEAP')]
const SHARD_COLUMNS = [right('SHARD'), right('SHARE'), right('TIMES THE MEAN'), right('WORKER'), left('PROCESS')]
const JOB_COLUMNS = [
  left('JOB'),
  left('GROUP'),
  left('STATE'),
  right('VISIBLE'),
  right('LAG'),
  right('OPEN'),
  right('ROWS'),
  right('ERRORS'),
  right('STATE SIZE'),
  left('HELD BACK BY'),
]

export function statusLines(status: ClusterStatus, options: StatusViewOptions): string[] {
  const now = microseconds(status.now)
  const lines = [
    `cluster ${status.cluster}: ${status.leader} leads since ${momentText(microseconds(status.since), now)} (epoch ${status.epoch})`,
  ]
  if (status.groups.length === 0) lines.push('', 'No process has joined: millrace worker --join URL')
  for (const group of status.groups) lines.push('', ...groupLines(group, now, options))
  lines.push('', ...(status.jobs.length === 0 ? ['No job is deployed: millrace deploy JOB'] : jobLines(status.jobs, now)))
  if (options.shards) for (const job of status.jobs) lines.push('', ...shardLines(job))
  const events = status.events.slice(-options.events)
  if (events.length > 0 && options.events > 0)
    lines.push('', 'What happened', ...events.map((event) => `  ${eventText(event, now, status.groups)}`))
  return lines
}

/** All jobs, a line each, and below what is to be said of them. */
export function jobLines(jobs: readonly JobStatus[], now: number): string[] {
  const rows = jobs.map((job) => [
    job.name,
    job.group,
    job.state,
    job.visible === null ? '-' : `${durationText((now - job.visible) / 1000)} ago`,
    durationText(job.lagMilliseconds),
    countText(job.open),
    countText(job.rows),
    countText(job.errors),
    bytesText(job.stateBytes),
    holdbackText(job.heldBackBy),
  ])
  const messages = jobs.flatMap(({ name, message }) =>
    message === null ? [] : message.split('\n').map((line, i) => `  ${i === 0 ? `${name}: ` : '  '}${line}`),
  )
  return [...tableLines(JOB_COLUMNS, rows), ...messages]
}

/** The busiest shards of a job, a line each. */
function shardLines({ name, busiestShards }: JobStatus): string[] {
  if (busiestShards.length === 0)
    return [`${name}: no shard is known to be busy; either few rows were exchanged lately, or there is one worker`]
  const rows = busiestShards.map(({ shard, share, worker, process }) => [
    String(shard),
    `${(100 * share).toFixed(1)}%`,
    (share * VIRTUAL_SHARDS).toFixed(1),
    String(worker),
    process,
  ])
  return [
    `busiest shards of ${name}, of ${countText(VIRTUAL_SHARDS)}, by their share of the rows that were exchanged lately`,
    ...tableLines(SHARD_COLUMNS, rows),
  ]
}

/** One event on a line; the group is named if there are several. */
export function eventText({ at, group, text }: HistoryEvent, now: number, groups: readonly { readonly name: string }[]): string {
  return `${momentText(microseconds(at), now)}  ${group === null || groups.length < 2 ? '' : `${group}: `}${text}`
}

/** In one line: how a job is. */
export function jobSummary(job: JobStatus, group: GroupStatus | undefined, now: number): string {
  const processes = group?.processes.filter(({ state }) => state === 'member') ?? []
  const threads = processes.reduce((sum, process) => sum + process.threads, 0)
  const parts = [
    `${job.name}: ${job.state}`,
    group === undefined || group.generation === 0 ? '' : `generation ${group.generation}`,
    `${counted(processes.length, 'process', 'processes')}, ${counted(threads, 'thread', 'threads')}`,
    job.visible === null ? '' : `visible ${durationText((now - job.visible) / 1000)} ago`,
    job.rows === 0 ? '' : `${countText(job.rows)} rows`,
    job.errors === 0 ? '' : counted(job.errors, 'error', 'errors'),
    job.heldBackBy === null ? '' : `waits for ${holdbackText(job.heldBackBy)}`,
  ]
  return parts.filter((part) => part !== '').join(' · ')
}

function groupLines(group: GroupStatus, now: number, { threads }: StatusViewOptions): string[] {
  const { name, state, generation, since, reason } = group
  const processes = [...group.processes].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  const began = since === null ? '' : ` for ${durationText((now - microseconds(since)) / 1000)}${reason === '' ? '' : `: ${reason}`}`
  const lines = [`group ${name}: ${state}${generation === 0 ? '' : `, generation ${generation}${began}`}`]
  if (processes.length > 0) lines.push(...tableLines(PROCESS_COLUMNS, processes.map(processCells)))
  for (const process of processes) if (process.problem !== null) lines.push(`  ${process.name}: ${process.problem}`)
  if (threads) {
    const rows = processes.flatMap((process) => process.workers.map((worker) => threadCells(process, worker)))
    rows.sort(([a], [b]) => Number(a) - Number(b))
    if (rows.length > 0) lines.push(...tableLines(THREAD_COLUMNS, rows))
  }
  return lines
}

function processCells({ name, state, threads, shards, workers, memoryBytes, heartbeatAgeMilliseconds, address }: ProcessStatus): string[] {
  const busy = workers.reduce((sum, worker) => sum + worker.busy, 0)
  const queued = workers.reduce((sum, worker) => sum + worker.outboundBytes, 0)
  return [
    name,
    state,
    countText(threads),
    countText(shards),
    workers.length === 0 ? '-' : shareText(busy / workers.length),
    bytesText(queued),
    memoryBytes === null ? '-' : bytesText(memoryBytes),
    durationText(heartbeatAgeMilliseconds),
    address,
  ]
}

function threadCells(process: ProcessStatus, worker: ProcessStatus['workers'][number]): string[] {
  return [
    String(worker.worker),
    process.name,
    countText(worker.shards),
    shareText(worker.busy),
    bytesText(worker.outboundBytes),
    countText(worker.inboundMessages),
    bytesText(worker.heapBytes),
  ]
}

function holdbackText(holdback: Holdback | null): string {
  if (holdback === null) return ''
  const { process, worker, operator } = holdback
  return [process, worker === null ? '' : `worker ${worker}`, operator ?? ''].filter((part) => part !== '').join(', ')
}

function counted(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

export function microseconds(moment: string): number {
  return Date.parse(moment) * 1000
}
