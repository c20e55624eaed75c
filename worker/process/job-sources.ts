/** What the main thread of a worker process needs of a job: its inputs and where their rows come from. */
import type { InputShape, ReplayableSource } from '../../runtime/protocol/replayable-source.ts'

export interface JobSources {
  readonly job: { readonly inputs: Readonly<Record<string, InputShape>> }
  /** By name of the input. */
  readonly sources: Readonly<Record<string, ReplayableSource>>
}

export interface JobSourcesLoader {
  /** @throws MillraceError JOB if the code cannot be loaded, or does not give a job */
  load(digest: string, code: string): JobSources | Promise<JobSources>
}
