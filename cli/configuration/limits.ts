/** What names and numbers the command line and the configuration file take. */

/** Dataflow threads of one process. */
export const MAXIMUM_WORKERS = 256
/** Worker processes that `run` starts. */
export const MAXIMUM_PROCESSES = 64
/** Milliseconds between two times. */
export const MAXIMUM_TICK = 60_000
export const MAXIMUM_DRAIN_SECONDS = 3600

/** Of jobs, groups, clusters and processes: they are in URLs, metrics and logs. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
export const NAME_RULE = 'takes letters, digits, dots, dashes and underscores, at most 128, and begins with a letter or digit'
