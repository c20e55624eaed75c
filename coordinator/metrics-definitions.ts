/** The metrics of a coordinator; docs/metrics.md lists the same, and a test holds it to that. */
import type { MetricDefinition } from '../runtime/log/metric-set.ts'

const gauge = (name: string, help: string, ...labels: string[]): MetricDefinition => ({ name, type: 'gauge', help, labels })
const counter = (name: string, help: string, ...labels: string[]): MetricDefinition => ({ name, type: 'counter', help, labels })

const STORE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

export const COORDINATOR_METRICS = {
  build: gauge('millrace_coordinator_build_info', 'Always 1; says which release runs here.', 'version'),
  leader: gauge('millrace_coordinator_leader', 'Whether this coordinator leads: 1 or 0.'),
  epoch: gauge('millrace_coordinator_leader_epoch', 'The epoch in which it leads; 0 if it does not.'),
  terms: counter('millrace_coordinator_terms_total', 'How often it has become the leader since it started.'),

  processes: gauge('millrace_cluster_processes', 'Processes of a group by state.', 'group', 'state'),
  generation: gauge('millrace_cluster_generation', 'The number of the present generation of a group.', 'group'),
  running: gauge(
    'millrace_cluster_running',
    'Whether the generation of a group is whole and all its jobs have caught up: 1 or 0.',
    'group',
  ),
  generations: counter(
    'millrace_cluster_generations_total',
    'Generations that began, by reason: join, leave, lost, unreachable, slow, or other.',
    'group',
    'reason',
  ),
  heartbeatAge: gauge(
    'millrace_cluster_heartbeat_age_seconds',
    'Since the last heartbeat of the process that is silent for longest.',
    'group',
  ),

  jobState: gauge('millrace_cluster_job_state', 'Always 1; says in which state a job is.', 'job_name', 'state'),
  minted: gauge('millrace_cluster_job_minted_time_seconds', 'The last minted time, seconds since 1970; 0 for none.', 'job_name'),
  visible: gauge('millrace_cluster_job_visible_time_seconds', 'The last visible time, seconds since 1970; 0 for none.', 'job_name'),
  open: gauge('millrace_cluster_job_open_times', 'Times that are minted and not visible.', 'job_name'),
  lag: gauge('millrace_cluster_job_lag_seconds', 'For how long the oldest open time has not become visible.', 'job_name'),
  jobRows: gauge('millrace_cluster_job_state_rows', 'Rows in the state of a job, of all workers.', 'job_name'),
  jobErrors: gauge('millrace_cluster_job_error_rows', 'Rows in the error collections of a job, of all workers.', 'job_name'),
  jobBusiestShard: gauge(
    'millrace_cluster_job_busiest_shard_ratio',
    'Share of the rows exchanged lately that the busiest of 1,024 virtual shards took, 0 to 1; 0.001 is even, 0 not known. Sampled.',
    'job_name',
  ),

  storeSeconds: {
    name: 'millrace_store_seconds',
    type: 'histogram',
    help: 'How long calls of the metadata store took; operation is acquire, renew, read, list, or write.',
    labels: ['operation'],
    buckets: STORE_SECONDS,
  },
  storeErrors: counter('millrace_store_errors_total', 'Calls of the metadata store that failed.', 'operation'),
} as const satisfies Readonly<Record<string, MetricDefinition>>
