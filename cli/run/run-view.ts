/** What `millrace run` shows: where things are, what happens, and on a terminal how the job is, in a line that stays. */
import type { HistoryEvent } from '../../coordinator/history.ts'
import type { GroupStatus, JobStatus } from '../../coordinator/status.ts'
import type { Context } from '../context.ts'
import { errorText } from '../exit.ts'
import { LiveLine } from '../view/live-line.ts'
import { jobSummary } from '../view/status-view.ts'
import { momentText } from '../view/units.ts'
import type { LocalClusterOptions } from './run-options.ts'

export class RunView {
  private readonly options: LocalClusterOptions
  private readonly context: Context
  private readonly live: LiveLine
  private state = ''

  constructor(options: LocalClusterOptions, context: Context) {
    this.options = options
    this.context = context
    this.live = new LiveLine(context.out)
  }

  coordinator(url: string): void {
    const { job, processes, threads } = this.options
    this.tell({ kind: 'coordinator', url }, () => [
      `${job.name}: ${processes} ${processes === 1 ? 'process' : 'processes'} of ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      `  coordinator  ${url}   millrace status --to ${url}`,
    ])
  }

  listening(name: string, url: string, admin: string | null): void {
    this.tell({ kind: 'listening', process: name, url, admin }, () => [
      `  ${name.padEnd(11)}  ${url}   ${this.example(url)}`,
      ...(admin === null ? [] : [`  ${''.padEnd(11)}  ${admin}/metrics, /readyz, /livez`]),
    ])
  }

  event({ at, group, text }: HistoryEvent): void {
    this.tell({ kind: 'event', at, group, text }, () => [`${this.moment(Date.parse(at) * 1000)}  ${text}`])
  }

  say(text: string): void {
    const now = this.context.environment.clock.now()
    this.tell({ kind: 'event', at: new Date(now / 1000).toISOString(), group: null, text }, () => [`${this.moment(now)}  ${text}`])
  }

  childLine(name: string, line: string): void {
    this.tell({ kind: 'line', process: name, text: line }, () => [`${name}: ${line}`])
  }

  problem(error: unknown): void {
    this.say(`the coordinator: ${errorText(error)}`)
  }

  look(job: JobStatus, group: GroupStatus | undefined, now: number): void {
    if (this.options.json) {
      if (job.state !== this.state) this.tell({ kind: 'job', state: job.state, message: job.message }, () => [])
    } else {
      if (job.state !== this.state) this.say(`${job.name} is ${job.state}${job.message === null ? '' : `: ${job.message}`}`)
      this.live.set(jobSummary(job, group, now))
    }
    this.state = job.state
  }

  close(): void {
    this.live.close()
  }

  private tell(record: object, lines: () => readonly string[]): void {
    if (this.options.json) this.context.out.write(`${JSON.stringify(record)}\n`)
    else for (const line of lines()) this.live.print(line)
  }

  private example(url: string): string {
    const output = Object.keys(this.options.job.job.outputs)[0]
    return output === undefined ? '' : `curl ${url}/v1/jobs/${this.options.job.name}/outputs/${output}`
  }

  private moment(microseconds: number): string {
    return momentText(microseconds, this.context.environment.clock.now())
  }
}
