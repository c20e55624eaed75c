/** What a dataflow thread runs. It is a module of its own, which starts at once; see `worker/local-threads.ts`. */
import { publicModules } from './cli/public-modules.ts'
import { NodeModules } from './runtime/env/node-modules.ts'
import { nodeThreadSurroundings } from './runtime/env/node-thread-surroundings.ts'
import { BundleLoader } from './worker/job-loader.ts'
import { runDataflowThread, settingsOf } from './worker/thread-main.ts'
import { ThreadService } from './worker/thread-service.ts'

const surroundings = nodeThreadSurroundings()
const { jobFolder = process.cwd() } = settingsOf<ThreadSettings>(surroundings)

/** `settings` of the threads. */
export interface ThreadSettings {
  /** Modules that bundles leave out are looked for from here. Default: the directory in which the process runs. */
  readonly jobFolder?: string
}

runDataflowThread(
  surroundings,
  (outlet) =>
    new ThreadService({
      outlet,
      loader: new BundleLoader(new NodeModules(jobFolder), Object.fromEntries(publicModules)),
      monotonic: () => surroundings.monotonic(),
    }),
)
