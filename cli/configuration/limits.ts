/** What numbers the command line and the configuration file take. */

/** Dataflow threads of one process. */
export const MAXIMUM_WORKERS = 256
/** Worker processes that `run` starts. */
export const MAXIMUM_PROCESSES = 64
/** Milliseconds between two times. */
export const MAXIMUM_TICK = 60_000
export const MAXIMUM_DRAIN_SECONDS = 3600
