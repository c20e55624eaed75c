/**
 * Processes of their own groups, for tests and benchmarks of whole clusters: signals reach exactly them and their children, and none
 * stays behind, even if the one that started them is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** How long anything may take here unless it is said, milliseconds. */
export const PATIENCE = 30_000
/** Of what a process writes the last so many characters are kept. */
const KEPT_CHARACTERS = 4 << 20
/** Linux counts processor time in this many units a second, whatever the kernel's own tick. */
const TICKS_A_SECOND = 100
const PAGE_BYTES = 4096

/** For a shell: kills the groups of the processes that it was told of when its input ends, which it does however the writer ends. */
export const REAPER = 'while read -r pid; do pids="$pids -$pid"; done; [ -z "$pids" ] || kill -s KILL -- $pids'

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** In place of Node itself: a program and its parameters, to which Node and its parameters are added. */
  readonly wrapper?: readonly string[]
}

export class Processes {
  private readonly started: RunningProcess[] = []
  private reaper: ChildProcess | null = null

  /** Runs a script on this Node. */
  start(script: string, parameters: readonly string[], options: StartOptions = {}): RunningProcess {
    const [command, ...rest] = [...(options.wrapper ?? []), process.execPath, script, ...parameters]
    const { cwd } = options
    const child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    })
    const running = new RunningProcess(child)
    this.started.push(running)
    this.reaper ??= spawn('sh', ['-c', REAPER], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.reaper.stdin?.write(`${child.pid}\n`)
    return running
  }

  get living(): readonly RunningProcess[] {
    return this.started.filter(({ hasEnded }) => !hasEnded)
  }

  /** Kills all that still run, and resolves when they are gone. */
  async close(): Promise<void> {
    for (const running of this.started) running.killGroup()
    await Promise.all(this.started.map(({ ended }) => ended))
    const { reaper } = this
    this.reaper = null
    if (reaper === null) return
    // Its input must not end: the numbers of the groups may be others' by now.
    reaper.kill('SIGKILL')
    await once(reaper, 'close')
  }
}

export class RunningProcess {
  readonly pid: number
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>
  hasEnded = false
  out = ''
  err = ''

  constructor(child: ChildProcess) {
    this.pid = child.pid as number
    child.stdout?.on('data', (data: Buffer) => {
      this.out = (this.out + data.toString()).slice(-KEPT_CHARACTERS)
    })
    child.stderr?.on('data', (data: Buffer) => {
      this.err = (this.err + data.toString()).slice(-KEPT_CHARACTERS)
    })
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.hasEnded = true
      return (code ?? signal) as number | string
    })
    child.once('exit', () => {
      this.hasEnded = true
    })
  }

  get text(): string {
    return `${this.out}\n${this.err}`
  }

  /** The first group of what a pattern finds in what it has written, or all of it, once it does. */
  says(pattern: RegExp, patience = PATIENCE): Promise<string> {
    return until(
      () => {
        const found = pattern.exec(this.text)
        if (found === null && this.hasEnded) throw new Error(`it ended without ${pattern}: ${this.text}`)
        return found?.[1] ?? found?.[0]
      },
      () => `${pattern} in ${this.text.slice(-2000)}`,
      patience,
    )
  }

  /** The fields of the first line of its log with a message, once it is there. */
  logs(message: string, patience = PATIENCE): Promise<Readonly<Record<string, unknown>>> {
    return until(
      () => {
        for (const line of this.err.split('\n').slice(0, -1)) {
          if (!line.startsWith('{') || !line.includes(message)) continue
          const fields = JSON.parse(line) as Readonly<Record<string, unknown>>
          if (fields['message'] === message) return fields
        }
        if (this.hasEnded) throw new Error(`it ended without "${message}": ${this.text}`)
        return undefined
      },
      () => `"${message}" in ${this.text.slice(-2000)}`,
      patience,
    )
  }

  /** To this process alone. */
  signal(signal: NodeJS.Signals): void {
    if (!this.hasEnded) process.kill(this.pid, signal)
  }

  /** Asks it to end, and returns how it did. */
  terminate(): Promise<number | string> {
    this.signal('SIGTERM')
    return this.ended
  }

  /** Ends it and its children at once, stopped or not. */
  killGroup(): void {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // All of them are gone already.
    }
  }

  /** What it has of the processor and of memory, itself alone; null once it has ended. */
  usage(): Usage | null {
    return usageOf(this.pid)
  }
}

export interface Usage {
  /** Of all its threads since it started. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** Null if there is no such process. */
export function usageOf(pid: number): Usage | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in brackets, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [user, system, resident] = [fields[11], fields[12], fields[21]].map(Number)
    return { cpuSeconds: (user + system) / TICKS_A_SECOND, residentBytes: resident * PAGE_BYTES }
  } catch {
    return null
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  what: string | (() => string),
  patience = PATIENCE,
): Promise<T> {
  const deadline = performance.now() + patience
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`not within ${patience} ms: ${typeof what === 'string' ? what : what()}`)
    await sleep(25)
  }
}
