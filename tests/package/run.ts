/** Runs a program and says what it said when it fails. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const TIMEOUT_MILLISECONDS = 300_000

/** Returns what it wrote to its output. A user's own npm settings are left out: a bare machine has none. */
export function run(command: string, parameters: readonly string[], folder: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    cwd: folder,
    encoding: 'utf8',
    timeout: TIMEOUT_MILLISECONDS,
    env: { ...process.env, npm_config_update_notifier: 'false', NO_COLOR: '1' },
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${parameters.join(' ')} ended with ${status}\n${stdout}\n${stderr}`)
  return stdout
}

export function node(parameters: readonly string[], folder: string): string {
  return run(process.execPath, parameters, folder)
}
