/** What numbers the command line and the configuration file take. */

/** Dataflow threads of one process. */
export const MAXIMUM_WORKERS = 256
/** Worker processes that `run` starts. */
export const MAXIMUM_PROCESSES = 64
/** Milliseconds between two times. */
export const MAXIMUM_TICK = 60_000
/** Milliseconds for which times stay readable after they were visible. */
export const MAXIMUM_HISTORY = 3_600_000
/** Milliseconds that a new leader waits for the processes of the one before: at least as long as a lease of theirs may last. */
export const MINIMUM_RESUME = 2000
export const MAXIMUM_RESUME = 600_000
export const MAXIMUM_DRAIN_SECONDS = 3600
