/** The command line with a test's own world: what it writes is kept, signals are sent by hand. */
import type { Context, Output } from '../../cli/context.ts'
import { runCommandLine } from '../../cli/program.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'

export interface TestContext extends Context {
  readonly written: { out: string; err: string }
  signal(name: string): void
  /** Exit codes that were asked for. */
  readonly exits: number[]
}

export function testContext(variables: Record<string, string | undefined> = {}, environment: Environment = nodeEnvironment()): TestContext {
  const written = { out: '', err: '' }
  const listeners = new Set<(signal: string) => void>()
  const exits: number[] = []
  const output = (name: 'out' | 'err'): Output => ({
    write: (text) => {
      written[name] += text
    },
    isTTY: false,
    columns: 100,
    rows: 40,
  })
  return {
    environment,
    out: output('out'),
    err: output('err'),
    variables,
    version: '0.0.0-test',
    program: 'cli.js',
    threadEntry: new URL('file:///thread.js'),
    signals: {
      listen: (callback) => {
        listeners.add(callback)
        return { ignore: () => void listeners.delete(callback) }
      },
      exit: (code) => {
        exits.push(code)
        return undefined as never
      },
    },
    written,
    exits,
    signal: (name) => {
      for (const listener of [...listeners]) listener(name)
    },
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command to its end, with these variables of the process. */
export async function millrace(parameters: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    const context = testContext(process.env)
    const code = await runCommandLine(parameters, context)
    return { code, ...context.written }
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
