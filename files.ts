/// <reference lib="esnext.disposable" preserve="true" />
/** `millrace/files`: change-log files as the inputs of a job, on Node. */

import { FileSource, type FileSourceOptions } from './connectors/file/source.ts'
import type { KeyedRowInput, RowInput } from './connectors/input.ts'
import { Pump, type PumpOptions } from './connectors/pump.ts'
import type { InputDefinitions } from './operators/input-definition.ts'
import type { Job, OutputDefinitions } from './operators/job.ts'
import type { Environment } from './runtime/env/environment.ts'
import { nodeEnvironment } from './runtime/env/node-environment.ts'
import { MillraceError } from './runtime/error.ts'
import type { InputShape } from './runtime/protocol/replayable-source.ts'
import type { App } from './worker/embedded.ts'

export type { FollowEvent, FollowEventKind } from './connectors/file/follow-event.ts'
export { type FileFormat, type FileSource, type FileSourceOptions, formatOf } from './connectors/file/source.ts'
export type { Pump } from './connectors/pump.ts'

/** A file for each input that has one: its path, or its path with options. */
export type InputFiles<I> = { readonly [N in keyof I]?: string | FileSourceOptions }

export interface FollowFilesOptions extends PumpOptions {
  /** Hears what happens to the files, unless the file has a listener of its own. */
  readonly onEvent?: NonNullable<FileSourceOptions['onEvent']>
  /** The real world unless given. */
  readonly environment?: Environment
  /** Mints the times; the app unless given. */
  readonly commit?: () => number
}

/** Files on their way into an app. */
export interface FileFeed<I> extends AsyncDisposable {
  readonly sources: { readonly [N in keyof I]?: FileSource }
  /** Follows the files until `close`. Rejects with what a commit throws. */
  run(): Promise<void>
  /** Reads the files to their end, commits, and returns the time of the commit. */
  drain(): Promise<number>
  close(): Promise<void>
}

/**
 * Feeds files into an app's inputs: each line is a row, a command, or an error with its file and line.
 * @throws MillraceError UNKNOWN_NAME for an input that the job does not have, CONFIG for a file whose format is not clear
 * @example
 *   const feed = followFiles(featureStore, app, { accounts: 'accounts.jsonl', frauds: 'frauds.csv' })
 *   await feed.run()
 */
export function followFiles<I extends InputDefinitions, O extends OutputDefinitions>(
  job: Job<I, O>,
  app: App<I, O>,
  files: InputFiles<I>,
  options: FollowFilesOptions = {},
): FileFeed<I> {
  const environment = options.environment ?? nodeEnvironment()
  const sources: Record<string, FileSource> = {}
  for (const [name, file] of Object.entries<string | FileSourceOptions | undefined>(files)) {
    if (file === undefined) continue
    const definition = job.inputs[name] as InputShape | undefined
    if (definition === undefined) {
      throw new MillraceError('UNKNOWN_NAME', `There is no input ${JSON.stringify(name)} (${Object.keys(job.inputs).join(', ')}).`)
    }
    const heard = options.onEvent === undefined ? {} : { onEvent: options.onEvent }
    const fileOptions: FileSourceOptions = typeof file === 'string' ? { ...heard, path: file } : { ...heard, ...file }
    sources[name] = new FileSource(
      environment,
      definition,
      (app.inputs as Record<string, unknown>)[name] as RowInput | KeyedRowInput,
      fileOptions,
    )
  }
  const committer = { commit: options.commit ?? (() => app.commit()) }
  const pump = new Pump(environment, committer, Object.values(sources), options)
  return {
    sources: sources as FileFeed<I>['sources'],
    run: () => pump.run(),
    drain: () => pump.drain(),
    close: () => pump.close(),
    [Symbol.asyncDispose]: () => pump.close(),
  }
}
