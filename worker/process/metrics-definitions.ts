/** The metrics of a worker process; docs/metrics.md lists the same, and a test holds it to that. */
import type { MetricDefinition } from '../../runtime/log/metric-set.ts'

const gauge = (name: string, help: string, ...labels: string[]): MetricDefinition => ({ name, type: 'gauge', help, labels })
const counter = (name: string, help: string, ...labels: string[]): MetricDefinition => ({ name, type: 'counter', help, labels })
const histogram = (name: string, help: string, buckets: readonly number[], ...labels: string[]): MetricDefinition => ({
  name,
  type: 'histogram',
  help,
  labels,
  buckets,
})

const READ_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const LATENCY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const PROCESS_METRICS = {
  build: gauge('millrace_build_info', 'Always 1; says which release runs here.', 'version', 'group'),
  ready: gauge('millrace_ready', 'Whether /readyz says yes: 1 or 0.'),
  leased: gauge('millrace_leased', 'Whether the coordinator is known to count on this process: 1 or 0.'),
  generation: gauge('millrace_generation', 'The number of the generation that this process is in; 0 for none.'),
  members: gauge('millrace_generation_members', 'Processes in the generation.'),
  generations: counter('millrace_generations_total', 'Generations that this process was in since it started.'),
  coordinatorConnected: gauge('millrace_coordinator_connected', 'Whether there is a connection to the coordinator: 1 or 0.'),
  coordinatorEpoch: gauge('millrace_coordinator_epoch', 'The epoch of the coordinator that is obeyed.'),
  peersConnected: gauge('millrace_peers_connected', 'Other processes of the generation to which there is a connection.'),
  peersMissing: gauge('millrace_peers_missing', 'Other processes of the generation to which there is none.'),
  peerBytes: gauge('millrace_peer_outbound_bytes', 'Bytes that wait to be sent to other processes, of all connections.'),

  threadBusy: gauge('millrace_thread_busy_ratio', 'Share of the time in which a dataflow thread worked, 0 to 1.', 'thread'),
  threadOutbound: gauge('millrace_thread_outbound_bytes', 'Bytes that wait at a thread to be sent to other workers.', 'thread'),
  threadInbound: gauge('millrace_thread_inbound_messages', 'Messages that wait to be taken by a thread.', 'thread'),
  threadHeap: gauge('millrace_thread_heap_bytes', 'The heap of a thread.', 'thread'),
  frames: counter('millrace_exchanged_frames_total', 'Frames between workers; direction is in or out.', 'thread', 'direction'),
  frameBytes: counter('millrace_exchanged_bytes_total', 'Bytes between workers; direction is in or out.', 'thread', 'direction'),

  jobHydrated: gauge('millrace_job_hydrated', 'Whether all that was visible before is visible: 1 or 0.', 'job_name'),
  jobFailed: gauge('millrace_job_failed', 'Whether the job has stopped here with an error: 1 or 0.', 'job_name'),
  jobMinted: gauge('millrace_job_minted_time_seconds', 'The last minted time, seconds since 1970; 0 for none.', 'job_name'),
  jobVisible: gauge('millrace_job_visible_time_seconds', 'The last visible time, seconds since 1970; 0 for none.', 'job_name'),
  jobLag: gauge(
    'millrace_job_lag_seconds',
    'While a minted time is not visible: for how long none has become so, or how long the last one took, whichever is longer; else 0.',
    'job_name',
  ),
  jobLatency: histogram(
    'millrace_job_visible_latency_seconds',
    'From when a time was minted until it was visible here.',
    LATENCY_SECONDS,
    'job_name',
  ),
  jobRows: gauge('millrace_job_state_rows', 'Rows in the state of all operators of a job at a worker.', 'job_name', 'thread'),
  jobBytes: gauge('millrace_job_state_bytes', 'Bytes of the state of all operators of a job at a worker.', 'job_name', 'thread'),
  jobSkew: gauge(
    'millrace_job_state_skew_ratio',
    "Rows at this process's fullest worker by the mean of its workers: 1 is even.",
    'job_name',
  ),
  jobErrors: gauge('millrace_job_error_rows', 'Rows in the error collections of a job at this process.', 'job_name'),
  outputRows: gauge('millrace_output_rows', 'Rows of an output that this process keeps.', 'job_name', 'output'),

  sourceRows: counter('millrace_source_rows_total', 'Rows read from a source by this process in this generation.', 'job_name', 'input'),
  sourceRejected: counter('millrace_source_rejected_rows_total', 'Of these, rows that gave an error row.', 'job_name', 'input'),
  sourcePartitions: gauge('millrace_source_partitions', 'Partitions of a source that this process reads.', 'job_name', 'input'),
  sourceFailing: gauge('millrace_source_failing_partitions', 'Partitions that cannot be read at the moment.', 'job_name', 'input'),
  sourceBehind: gauge('millrace_source_behind_partitions', 'Partitions in which more waits to be read at once.', 'job_name', 'input'),
  sourcePaused: gauge(
    'millrace_source_paused_partitions',
    'Partitions that are not read because the dataflow is behind.',
    'job_name',
    'input',
  ),

  reads: counter('millrace_reads_total', 'Reads by how they ended: ok, or the code of the error.', 'result'),
  readSeconds: histogram('millrace_read_seconds', 'How long reads took, with waiting for their time.', READ_SECONDS),
  readsWaiting: gauge('millrace_reads_waiting', 'Reads that wait for a time or a generation.'),
  followers: gauge('millrace_followers', 'Followers of outputs at this process.'),
  subscriptions: gauge('millrace_subscriptions', 'Outputs that are followed at this process.'),
  followerBytes: gauge('millrace_follower_queue_bytes', 'Bytes of changes that wait for followers.'),
  followerOverflows: counter('millrace_follower_overflows_total', 'Followers that were ended because they read too slowly.'),
  followerResets: counter('millrace_follower_resets_total', 'Followers that had to start anew with a snapshot.'),
  httpAnswers: counter('millrace_http_answers_total', 'Answers of the HTTP API by route and status.', 'route', 'status'),
} as const
