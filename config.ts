/// <reference lib="esnext.disposable" preserve="true" />
/** `millrace/config`: where a job's inputs come from and how it runs, apart from what it computes. */
import type { ImportedDefinition } from './operators/import-definition.ts'
import type { InputDefinition, InputDefinitions } from './operators/input-definition.ts'
import type { Columns } from './runtime/data/schema.ts'
import type { ReplayableSource } from './runtime/protocol/replayable-source.ts'

export { type FilesOptions, files } from './connectors/file/replayable-file.ts'
export { type GeneratedOptions, generated } from './connectors/generated.ts'
export { type GeneratedBatch, type SourceContext, type SourceOptions, source } from './connectors/replayable-generator.ts'
export type { Environment } from './runtime/env/environment.ts'
export type { ChangeRun, RejectedRow } from './runtime/protocol/change-run.ts'
export type { Position } from './runtime/protocol/position.ts'
export type { InputShape, PartitionReader, ReplayableSource, SourceBatch } from './runtime/protocol/replayable-source.ts'

/** What a job says of its inputs: all that a configuration needs to know of it. */
interface WithInputs {
  readonly inputs: InputDefinitions
}

/** A source for each input that has one; inputs without stay empty. What comes from another job is no source. */
export type Sources<J extends WithInputs> = {
  readonly [N in keyof J['inputs'] as FedInput<J['inputs'][N]> extends never ? never : N]?: ReplayableSource
}

type FedInput<D extends InputDefinition> = D extends ImportedDefinition<Columns, string> ? never : D

/** What `millrace.config.ts` says. Flags and environment variables of the command line go before it. */
export interface Configuration<J extends WithInputs = WithInputs> {
  readonly sources?: Sources<J>
  /** What the job is called in the cluster. Default: its own name. */
  readonly name?: string
  /** The group of worker processes that runs it. Default `default`. */
  readonly group?: string
  /** `millrace run`: dataflow threads of each process. Default 1. */
  readonly workers?: number
  /** `millrace run`: worker processes. With 1, the default, everything is in one process. */
  readonly processes?: number
  /** `millrace run`: milliseconds between two times at least. Default 10. */
  readonly tick?: number
  /** `millrace run`: where the coordinator listens, `host:port` or a port. Default `127.0.0.1:7400`, or another port if that is taken. */
  readonly listen?: string | number
  /** `millrace run`: where to read: the first worker process listens here. Default `127.0.0.1:8080`, or another port if that is taken. */
  readonly http?: string | number
  /** `millrace run`: the admin port of the first worker process. Default: none. */
  readonly admin?: string | number
  /** `millrace run`: seconds that a drain may take after Ctrl-C. Default 10. */
  readonly drainSeconds?: number
}

/**
 * The configuration of a job, for the default export of `millrace.config.ts` beside it.
 * @example
 *   import type featureStore from './job.ts'
 *   export default defineConfig<typeof featureStore>({ sources: { accounts: files({ path: 'accounts.jsonl' }) } })
 */
export function defineConfig<J extends WithInputs>(configuration: Configuration<J>): Configuration<J> {
  return Object.freeze({ ...configuration })
}
