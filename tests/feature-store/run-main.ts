/** The feature store as a process of its own, built for the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const example = fileURLToPath(new URL('../../examples/feature-store/', import.meta.url))

/** Node 20 runs no TypeScript; the shared build may be under way for somebody else. */
export class BuiltExample {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-test-store-'))
  /** What the processes take for the directory of temporary files. */
  readonly temporary = mkdtempSync(join(this.folder, 'tmp-'))

  async build(): Promise<void> {
    await build({
      entryPoints: [join(example, 'main.ts'), join(example, 'generator.ts')],
      outdir: this.folder,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
    })
    writeFileSync(join(this.folder, 'package.json'), '{"type":"module"}')
  }

  directory(): string {
    return mkdtempSync(join(this.folder, 'data-'))
  }

  run(...args: string[]): Main {
    return new Main(join(this.folder, 'main.js'), args, this.temporary)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** How long anything may take here, milliseconds. */
const PATIENCE = 15_000

export class Main {
  readonly child: ChildProcess
  out = ''
  err = ''
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>

  constructor(script: string, args: string[], temporary: string) {
    const env = { ...process.env, TMPDIR: temporary }
    this.child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.child.stdout?.on('data', (data: Buffer) => {
      this.out += data.toString()
    })
    this.child.stderr?.on('data', (data: Buffer) => {
      this.err += data.toString()
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal)
  }

  /** The address that it listens on. */
  async url(): Promise<string> {
    return await until(
      () => /listening on (http:\S+[^,\s])/.exec(this.out)?.[1],
      () => `no address in ${JSON.stringify(this.out)}, ${JSON.stringify(this.err)}`,
    )
  }

  children(): number[] {
    try {
      return execFileSync('ps', ['-o', 'pid=', '--ppid', String(this.child.pid)])
        .toString()
        .trim()
        .split(/\s+/)
        .map(Number)
    } catch {
      return []
    }
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until `look` gives something. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  otherwise: () => string = () => 'waited in vain',
): Promise<T> {
  const start = Date.now()
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() - start > PATIENCE) throw new Error(otherwise())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function getJson(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

export interface ServerEvent {
  readonly name: string
  readonly id: string | null
  readonly data: Record<string, unknown>
}

/** The events of a stream, until it ends. */
export async function* serverEvents(url: string, headers: Record<string, string> = {}): AsyncGenerator<ServerEvent> {
  const response = await fetch(url, { headers })
  if (response.headers.get('content-type') !== 'text/event-stream') throw new Error(`no events: ${response.status}`)
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() as string
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
      const data = fields.get('data')
      if (data !== undefined) yield { name: fields.get('event') ?? 'message', id: fields.get('id') ?? null, data: JSON.parse(data) }
    }
  }
}
