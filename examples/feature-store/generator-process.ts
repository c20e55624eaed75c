/** The generator of change logs, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type GeneratorOptions, type Logs, UsageError } from './options.ts'

/** How long it may take to stop before it is killed, milliseconds. */
const PATIENCE = 500
/** How long it may take until there are files, and between looks; milliseconds. */
const LONGEST_START = 5000
const START_STEP = 20

export class GeneratorProcess {
  readonly logs: Logs
  readonly directory: string
  private readonly temporary: boolean
  private readonly child: ChildProcess
  private readonly ended: Promise<void>
  private stopping = false

  /**
   * `onEnd` hears when it stops by itself.
   * @throws UsageError if the directory has logs already or cannot be made
   */
  constructor(options: GeneratorOptions, onEnd: (message: string) => void) {
    this.temporary = options.directory === null
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'millrace-feature-store-'))
    this.logs = { accounts: join(this.directory, `accounts.${options.format}`), frauds: join(this.directory, `frauds.${options.format}`) }
    makeReady(this.directory, options.overwrite)
    // Relative to this file, of which there is a .ts and a built .js.
    const script = fileURLToPath(new URL(`./generator${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
    const args = [script, '--dir', this.directory, '--with-parent', ...options.passed]
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    this.child.stderr?.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-1000)
    })
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => {
        if (!this.stopping) onEnd(`the generator could not be started: ${error.message}`)
        resolve()
      })
      this.child.once('close', (code, signal) => {
        if (!this.stopping) onEnd(`the generator stopped (${signal ?? `exit code ${code}`}): ${said.trim()}`)
        resolve()
      })
    })
  }

  /** Resolves once both logs are there, or could have been. */
  async ready(): Promise<void> {
    const isThere = (): boolean => existsSync(this.logs.accounts) && existsSync(this.logs.frauds)
    for (let waited = 0; waited < LONGEST_START && !isThere() && this.child.exitCode === null; waited += START_STEP) {
      await new Promise((resolve) => setTimeout(resolve, START_STEP))
    }
  }

  /** Resolves when the process is gone. Takes its temporary directory along. */
  async stop(): Promise<void> {
    this.stopping = true
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE)
    await this.ended
    clearTimeout(timer)
    if (this.temporary) rmSync(this.directory, { recursive: true, force: true })
  }

  /** For when there is no time to wait. */
  kill(): void {
    this.stopping = true
    this.child.kill('SIGKILL')
  }
}

const LOG_NAME = /^(accounts|frauds)\.(jsonl|csv)(\.\d+)?$/

function makeReady(directory: string, overwrite: boolean): void {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw new UsageError(`--dir: ${directory} cannot be made: ${error instanceof Error ? error.message : String(error)}`)
  }
  const old = readdirSync(directory).filter((name) => LOG_NAME.test(name))
  if (old.length === 0) return
  if (!overwrite) {
    const [first] = old
    const format = existsSync(join(directory, 'accounts.csv')) ? 'csv' : 'jsonl'
    throw new UsageError(
      `--dir: ${directory} has ${first} already. Replace it with --overwrite, choose another directory, or follow what is there: ` +
        `--accounts ${join(directory, `accounts.${format}`)} --frauds ${join(directory, `frauds.${format}`)}`,
    )
  }
  for (const name of old) rmSync(join(directory, name))
}
