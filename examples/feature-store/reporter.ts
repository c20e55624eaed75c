/** What the operator sees: a live table on a terminal, a line a second elsewhere. */
import { dirname, join } from 'node:path'
import type { Logs } from './options.ts'
import { type Progress, type ProgressMeter, progressLine, timeText } from './progress.ts'
import type { FeatureStoreApp } from './server.ts'
import { tableLines } from './table.ts'
import { LiveView } from './terminal.ts'

/** Between views, milliseconds. */
const REFRESH = 500
/** Between lines where there is no terminal, milliseconds. */
const LINE_EVERY = 1000
/** Of what happened, shown below the table. */
const EVENTS_SHOWN = 3

export interface Shown {
  readonly app: FeatureStoreApp
  readonly meter: ProgressMeter
  readonly url: string
  readonly logs: Logs
}

export class Reporter {
  private readonly quiet: boolean
  private readonly view: LiveView | null
  private readonly events: string[] = []
  private timer: ReturnType<typeof setInterval> | null = null
  private busy: Promise<void> = Promise.resolve()

  constructor(quiet: boolean) {
    this.quiet = quiet
    this.view = process.stdout.isTTY && !quiet ? new LiveView(process.stdout) : null
  }

  start(shown: Shown): void {
    if (this.view === null) process.stdout.write(`listening on ${shown.url}, following ${shown.logs.accounts} and ${shown.logs.frauds}\n`)
    if (this.quiet) return
    this.timer = setInterval(
      () => {
        this.busy = this.report(shown)
      },
      this.view === null ? LINE_EVERY : REFRESH,
    )
  }

  /** Something to know about the files, the generator or the server. */
  event(message: string): void {
    const line = `${new Date().toISOString().slice(11, 19)} ${message}`
    if (this.view === null) process.stderr.write(`${line}\n`)
    this.events.push(line)
    if (this.events.length > EVENTS_SHOWN) this.events.shift()
  }

  async close(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    await this.busy
    this.view?.close()
  }

  private async report(shown: Shown): Promise<void> {
    const progress = await shown.meter.measure()
    if (this.view !== null) this.view.draw(this.lines(this.view, shown, progress))
    else if (!process.stdout.writableNeedDrain) process.stdout.write(`${progressLine(progress)}  time ${timeText(progress.time)}\n`)
  }

  /** Address and progress above, what happened below, the table in all the room between. */
  private lines(view: LiveView, { app, url, logs }: Shown, progress: Progress): string[] {
    const above = [`Fraud feature store  ${url}  Ctrl-C stops`, progressLine(progress), `time ${timeText(progress.time)}`, '']
    const folder = join(dirname(logs.accounts), '/')
    const below = this.events.length === 0 ? [] : ['', ...this.events.map((line) => line.replaceAll(folder, ''))]
    const room = Math.max(1, view.height - above.length - below.length - 1)
    return [...above, ...tableLines(app.outputs.worst.rows(), room, view.width), ...below]
  }
}
