#!/usr/bin/env node
/** The command `millrace`. */
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Context, Output, Signals } from './cli/context.ts'
import { runCommandLine } from './cli/program.ts'
import { nodeEnvironment } from './runtime/env/node-environment.ts'

const folder = dirname(fileURLToPath(import.meta.url))
const { version } = JSON.parse(readFileSync(join(basename(folder) === 'dist' ? dirname(folder) : folder, 'package.json'), 'utf8')) as {
  version: string
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const signals: Signals = {
  listen(callback) {
    const handlers = SIGNALS.map((signal) => [signal, () => callback(signal)] as const)
    for (const [signal, handler] of handlers) process.on(signal, handler)
    return {
      ignore: () => {
        for (const [signal, handler] of handlers) process.off(signal, handler)
      },
    }
  },
  exit: (code) => process.exit(code),
}

function output(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80
    },
    get rows() {
      return stream.rows ?? 24
    },
  }
}

const context: Context = {
  environment: nodeEnvironment(),
  out: output(process.stdout),
  err: output(process.stderr),
  variables: process.env,
  version,
  program: fileURLToPath(import.meta.url),
  threadEntry: new URL('./thread.js', import.meta.url),
  signals,
}

// Whoever reads us may go (`millrace status | head`): that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

// Nothing is left to do but what a job that was loaded, or a socket, would keep alive; what was written goes out first.
process.exitCode = await runCommandLine(process.argv.slice(2), context)
process.stdout.write('', () => process.stderr.write('', () => process.exit()))
