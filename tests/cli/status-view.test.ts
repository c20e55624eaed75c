import { describe, expect, it } from 'vitest'
import { jobSummary, statusLines } from '../../cli/view/status-view.ts'
import { bytesText, durationText, momentText } from '../../cli/view/units.ts'
import type { ClusterStatus, JobStatus, ProcessStatus } from '../../coordinator/status.ts'

const now = '2026-11-22T10:00:10.000Z'
const at = (seconds: number): string => `2026-11-22T10:00:${String(seconds).padStart(2, '0')}.000Z`

const process = (name: string, more: Partial<ProcessStatus> = {}): ProcessStatus => ({
  process: `${name}-1234`,
  name,
  state: 'member',
  problem: null,
  address: `http://10.0.0.1:80${name.at(-1)}`,
  admin: null,
  version: '0.1.0',
  threads: 2,
  shards: 512,
  memoryBytes: 123_456_789,
  heartbeatAgeMilliseconds: 120,
  workers: [0, 1].map((worker) => ({
    worker,
    shards: 256,
    busy: 0.25 + worker / 2,
    outboundBytes: 1500,
    inboundMessages: 3,
    heapBytes: 20_000_000,
  })),
  ...more,
})

const job: JobStatus = {
  name: 'orders',
  group: 'default',
  digest: 'abc',
  state: 'running',
  message: null,
  deployed: at(1),
  dataflow: 0,
  minted: Date.parse(at(10)) * 1000,
  visible: Date.parse(at(9)) * 1000,
  open: 2,
  lagMilliseconds: 1234,
  heldBackBy: { process: 'worker-10', worker: 3, operator: 'join#7', complete: 1 },
  rows: 12_345,
  errors: 1,
  stateBytes: 4_700_000,
  busiestShards: [
    { shard: 417, share: 0.2345, worker: 3, process: 'worker-10' },
    { shard: 2, share: 0.001, worker: 0, process: 'worker-9' },
  ],
}

const status: ClusterStatus = {
  cluster: 'shop',
  leader: 'http://10.0.0.1:7400',
  epoch: 3,
  since: at(0),
  now,
  groups: [
    {
      name: 'default',
      generation: 2,
      state: 'running',
      since: at(6),
      reason: 'process worker-2 lost: no heartbeat for 1.8 s',
      processes: [
        process('worker-10'),
        process('worker-9', { state: 'left out', problem: 'it cannot reach worker-10', shards: 0, workers: [], memoryBytes: null }),
      ],
    },
  ],
  jobs: [job],
  events: [
    { at: at(1), group: null, text: 'the coordinator leads' },
    { at: at(5), group: 'default', text: 'process worker-2 lost: no heartbeat for 1.8 s' },
  ],
}

describe('the status', () => {
  it('tells who is there, what runs, who holds it back, and what happened', () => {
    expect(statusLines(status, { events: 10, threads: true, shards: false })).toEqual([
      'cluster shop: http://10.0.0.1:7400 leads since 10:00:00.000 (epoch 3)',
      '',
      'group default: running, generation 2 for 4.0 s: process worker-2 lost: no heartbeat for 1.8 s',
      'PROCESS    STATE     THREADS  SHARDS  BUSY  QUEUED  MEMORY   HEARD  ADDRESS',
      'worker-9   left out        2       0     -     0 B       -  120 ms  http://10.0.0.1:809',
      'worker-10  member          2     512   50%  3.0 KB  123 MB  120 ms  http://10.0.0.1:800',
      '  worker-9: it cannot reach worker-10',
      'WORKER  PROCESS    SHARDS  BUSY  TO SEND  TO TAKE     HEAP',
      '     0  worker-10     256   25%   1.5 KB        3  20.0 MB',
      '     1  worker-10     256   75%   1.5 KB        3  20.0 MB',
      '',
      'JOB     GROUP    STATE      VISIBLE    LAG  OPEN    ROWS  ERRORS  STATE SIZE  HELD BACK BY',
      'orders  default  running  1.0 s ago  1.2 s     2  12,345       1      4.7 MB  worker-10, worker 3, join#7',
      '',
      'What happened',
      '  10:00:01.000  the coordinator leads',
      '  10:00:05.000  process worker-2 lost: no heartbeat for 1.8 s',
    ])
  })

  it('says what to do where there is nothing', () => {
    expect(statusLines({ ...status, groups: [], jobs: [], events: [] }, { events: 10, threads: false, shards: false })).toEqual([
      'cluster shop: http://10.0.0.1:7400 leads since 10:00:00.000 (epoch 3)',
      '',
      'No process has joined: millrace worker --join URL',
      '',
      'No job is deployed: millrace deploy JOB',
    ])
  })

  it('says why a job failed, and of which group an event is', () => {
    const failed = { ...job, state: 'failed' as const, message: 'it throws\nat job.ts:3', heldBackBy: null, visible: null }
    const groups = [status.groups[0], { ...status.groups[0], name: 'other', processes: [] }]
    const lines = statusLines({ ...status, groups, jobs: [failed] }, { events: 1, threads: false, shards: false })
    expect(lines).toContain('  orders: it throws')
    expect(lines).toContain('    at job.ts:3')
    expect(lines.at(-1)).toBe('  10:00:05.000  default: process worker-2 lost: no heartbeat for 1.8 s')
  })

  it('names the busiest shards', () => {
    const idle = { ...job, name: 'idle', busiestShards: [] }
    const lines = statusLines({ ...status, groups: [], jobs: [job, idle] }, { events: 0, threads: false, shards: true })
    expect(lines.slice(lines.findIndex((line) => line.startsWith('busiest')))).toEqual([
      'busiest shards of orders, of 1,024, by their share of the rows that were exchanged lately',
      'SHARD  SHARE  TIMES THE MEAN  WORKER  PROCESS',
      '  417  23.4%           240.1       3  worker-10',
      '    2   0.1%             1.0       0  worker-9',
      '',
      'idle: no shard is known to be busy; either few rows were exchanged lately, or there is one worker',
    ])
  })

  it('in one line', () => {
    expect(jobSummary(job, status.groups[0], Date.parse(now) * 1000)).toBe(
      'orders: running · generation 2 · 1 process, 2 threads · visible 1.0 s ago · 12,345 rows · 1 error · waits for worker-10, worker 3, join#7',
    )
    expect(jobSummary({ ...job, state: 'waiting', visible: null, rows: 0, errors: 0, heldBackBy: null }, undefined, 0)).toBe(
      'orders: waiting · 0 processes, 0 threads',
    )
  })
})

describe('figures', () => {
  it('have their units', () => {
    expect([0, 999, 1000, 99_949, 123_456, 9_999_999_999].map(bytesText)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '99.9 KB',
      '123 KB',
      '10.0 GB',
    ])
    expect([-5, 0, 999, 1000, 59_000, 99_000, 100_000, 7_200_000, 400_000_000].map(durationText)).toEqual([
      '0 ms',
      '0 ms',
      '999 ms',
      '1.0 s',
      '59 s',
      '99 s',
      '2 min',
      '2 h',
      '5 d',
    ])
    const day = Date.parse(now) * 1000
    expect(momentText(day, day)).toBe('10:00:10.000')
    expect(momentText(day - 86_400_000_000, day)).toBe('2026-11-21 10:00:10')
  })
})
