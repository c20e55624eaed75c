/** The command line as processes of its own, built for the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** How long anything may take here, milliseconds. */
const PATIENCE = 20_000

export interface StartOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** With a process group of its own, as a terminal gives it: a signal to the group reaches its children, too. */
  readonly ownGroup?: boolean
}

/** Node 20 runs no TypeScript; the shared build may be under way for somebody else. */
export class BuiltCli {
  /** Packages are found from there. */
  readonly folder = mkdtempSync(join(root, 'node_modules', '.millrace-cli-'))
  private readonly started: CliProcess[] = []

  async build(): Promise<void> {
    await build({
      entryPoints: [join(root, 'cli.ts'), join(root, 'thread.ts')],
      outdir: this.folder,
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
    })
    await stop()
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module", "version": "0.0.0-test" }')
  }

  start(parameters: readonly string[], options: StartOptions = {}): CliProcess {
    const process = new CliProcess(join(this.folder, 'cli.js'), parameters, options)
    this.started.push(process)
    return process
  }

  /** Ends all that was started, and removes what was built. */
  remove(): void {
    for (const { child } of this.started) if (child.exitCode === null) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class CliProcess {
  readonly child: ChildProcess
  out = ''
  err = ''
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>

  constructor(script: string, parameters: readonly string[], { cwd, env, ownGroup = false }: StartOptions) {
    this.child = spawn(process.execPath, [script, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: ownGroup,
      ...(cwd === undefined ? {} : { cwd }),
    })
    this.child.stdout?.on('data', (data: Buffer) => {
      this.out += data.toString()
    })
    this.child.stderr?.on('data', (data: Buffer) => {
      this.err += data.toString()
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal)
  }

  /** What a pattern finds in what it has written, once it does. */
  async says(pattern: RegExp): Promise<string> {
    return until(() => {
      const found = pattern.exec(`${this.out}\n${this.err}`)
      if (found === null && this.child.exitCode !== null) throw new Error(`it ended without ${pattern}: ${this.out}${this.err}`)
      return found?.[1] ?? found?.[0]
    }, `${pattern}`)
  }

  /** The first record of its log with this message, once it is there. */
  async logs(message: string): Promise<Readonly<Record<string, unknown>>> {
    return until(() => {
      for (const line of this.err.split('\n'))
        if (line.startsWith('{') && line.endsWith('}')) {
          const record = JSON.parse(line) as Readonly<Record<string, unknown>>
          if (record['message'] === message) return record
        }
      if (this.child.exitCode !== null) throw new Error(`it ended without ${message}: ${this.err}`)
      return undefined
    }, message)
  }

  /** Processes that it started, with their command lines. */
  children(): { readonly pid: number; readonly command: string }[] {
    try {
      const lines = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(this.child.pid)])
        .toString()
        .trim()
        .split('\n')
      return lines.map((line) => ({ pid: Number.parseInt(line, 10), command: line.trim().replace(/^\d+\s+/, '') }))
    } catch {
      return []
    }
  }
}

/** Whether a process is there and has not ended. */
export function isAlive(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Asks again and again until there is an answer. */
export async function until<T>(ask: () => T | undefined | Promise<T | undefined>, what: string, patience = PATIENCE): Promise<T> {
  const deadline = performance.now() + patience
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`not within ${patience} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
