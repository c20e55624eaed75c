/** How the store is doing, measured when asked. */
import type { FileFeed } from '../../files.ts'
import type { featureStore } from './job.ts'
import type { FeatureStoreApp } from './server.ts'

export interface Progress {
  readonly rows: number
  readonly rejected: number
  /** Rows and bad lines a second, since the last call. */
  readonly rate: number
  /** Bytes of the files that were not read yet. */
  readonly unread: number
  /** The last complete time, microseconds since 1970; -1 before the first. */
  readonly time: number
  /** From that to now, milliseconds. */
  readonly lag: number
}

export class ProgressMeter {
  private readonly app: FeatureStoreApp
  private readonly feed: FileFeed<(typeof featureStore)['inputs']>
  private readonly started = performance.now()
  private before = { at: performance.now(), lines: 0 }

  constructor(app: FeatureStoreApp, feed: FileFeed<(typeof featureStore)['inputs']>) {
    this.app = app
    this.feed = feed
  }

  async measure(): Promise<Progress> {
    const sources = Object.values(this.feed.sources)
    let rows = 0
    let rejected = 0
    let unread = 0
    for (const source of sources) {
      // Why a file cannot be looked at is an event of its source.
      unread += await source.unread().catch(() => 0)
      rows += source.rows
      rejected += source.rejected
    }
    const at = performance.now()
    const rate = ((rows + rejected - this.before.lines) / Math.max(at - this.before.at, 1)) * 1000
    this.before = { at, lines: rows + rejected }
    const { time } = this.app
    const lag = time < 0 ? at - this.started : Math.max(0, Date.now() - time / 1000)
    return { rows, rejected, rate, unread, time, lag }
  }
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** Less is what was written since the last poll. */
const WORTH_SHOWING = 64_000

/** One line: rows, rate, bad lines, lag. */
export function progressLine({ rows, rejected, rate, unread, lag }: Progress): string {
  const waiting = unread < WORTH_SHOWING ? '' : ` (${bytes(unread)} unread)`
  return `${whole.format(rows)} rows  ${whole.format(rate)}/s  ${whole.format(rejected)} bad  lag ${duration(lag)}${waiting}`
}

/** ISO 8601 with microseconds, as what is logged. */
export function timeText(micros: number): string {
  if (micros < 0) return 'none yet'
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`
}

function duration(milliseconds: number): string {
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : `${Math.round(milliseconds / 1000)} s`
}

function bytes(count: number): string {
  return count < 10_000_000 ? `${Math.round(count / 1000)} kB` : `${Math.round(count / 1_000_000)} MB`
}
