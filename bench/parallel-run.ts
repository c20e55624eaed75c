/** Runs a program on N threads in each of P processes: this one is the first, the others are its children and end with it. */
import { type ChildProcess, fork } from 'node:child_process'
import { nodeEnvironment } from '../runtime/env/node-environment.ts'
import { NodeThreads } from '../runtime/env/node-threads.ts'
import { runParallel } from '../worker/parallel.ts'
import { GroupListener, type ProcessGroup } from '../worker/parallel-group.ts'
import type { ProgramData } from './parallel-options.ts'
import { sharedStreams } from './shared-streams.ts'

/** How threads wait: they spin and never sleep; or sleep at once; or spin while cores are free, as the engine does by itself. */
export type Waiting = 'spin' | 'park' | 'adapt'

export interface ProgramRun {
  /** The program's module, by its name in this folder and without extension. */
  readonly module: string
  /** Threads of each process. */
  readonly workers: number
  readonly processes: number
  readonly waiting: Waiting
  readonly data: unknown
}

export interface ProgramReports {
  /** By worker. */
  readonly reports: readonly unknown[][]
  /** Peak resident memory of all processes, the sum in megabytes. */
  readonly memoryMegabytes: number
}

/** What a process of the run is told once all of them listen. */
export interface ProcessStart {
  readonly index: number
  readonly urls: readonly string[]
  readonly run: ProgramRun
}

/** What a child says: where it listens, and last what it took. */
export type ProcessWord = { readonly url: string } | { readonly memoryMegabytes: number } | { readonly failure: string }

/** The modules are beside this one, and what it is. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

export async function runProgramOn(run: ProgramRun): Promise<ProgramReports> {
  if (run.processes === 1) return { reports: await runProcess(run, null), memoryMegabytes: peakMemory() }
  const children = Array.from({ length: run.processes - 1 }, () => new Child())
  try {
    const listener = await GroupListener.open(nodeEnvironment())
    const urls = [listener.url, ...(await Promise.all(children.map((child) => child.url)))]
    for (const [i, child] of children.entries()) child.start({ index: i + 1, urls, run })
    const reports = runProcess(run, await listener.join(0, urls))
    const [own] = await Promise.all([reports, ...children.map((child) => child.memoryMegabytes)])
    let memoryMegabytes = peakMemory()
    for (const child of children) memoryMegabytes += await child.memoryMegabytes
    return { reports: own, memoryMegabytes }
  } finally {
    for (const child of children) child.end()
  }
}

/** One process's part of a run. */
export function runProcess({ module, workers, processes, waiting, data }: ProgramRun, group: ProcessGroup | null): Promise<unknown[][]> {
  const threads = new NodeThreads()
  return runParallel({
    threads,
    module: new URL(`./${module}${extension}`, import.meta.url),
    workers,
    data: module === 'parallel-program' ? { ...(data as ProgramData), streams: sharedStreams(data as ProgramData) } : data,
    spinAlways: waiting === 'spin',
    // A process's main thread needs a core of its share while it carries messages.
    cores: waiting === 'park' ? 0 : Math.floor(threads.cores / processes),
    ...(group === null ? {} : { group }),
  })
}

export function peakMemory(): number {
  return process.resourceUsage().maxRSS / 1024
}

class Child {
  readonly url: Promise<string>
  readonly memoryMegabytes: Promise<number>
  private readonly process: ChildProcess

  constructor() {
    const child = fork(new URL(`./exchange-process${extension}`, import.meta.url), {
      execArgv: [...process.execArgv],
      serialization: 'advanced',
    })
    this.process = child
    const told = <T>(find: (word: ProcessWord) => T | undefined): Promise<T> =>
      new Promise((resolve, reject) => {
        child.on('message', (word: ProcessWord) => {
          const found = find(word)
          if (found !== undefined) resolve(found)
          else if ('failure' in word) reject(new Error(word.failure))
        })
        child.once('exit', (code) => reject(new Error(`a process of the run ended with code ${code}`)))
        child.once('error', reject)
      })
    this.url = told((word) => ('url' in word ? word.url : undefined))
    this.memoryMegabytes = told((word) => ('memoryMegabytes' in word ? word.memoryMegabytes : undefined))
    // Whoever waits for them hears of it.
    for (const promise of [this.url, this.memoryMegabytes]) promise.catch(() => {})
  }

  start(start: ProcessStart): void {
    this.process.send(start)
  }

  /** It ends by itself when its channel is gone. */
  end(): void {
    if (this.process.connected) this.process.disconnect()
  }
}
