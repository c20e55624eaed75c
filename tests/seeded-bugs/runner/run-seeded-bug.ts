/** Runs the test that must notice a bug, in a process of its own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SeededBug, seed } from './seeded-bug.ts'

/** Most bugs are caught in 2 s; one that is not in this time counts as one that hangs. */
const LIMIT_MILLISECONDS = 60_000

const root = fileURLToPath(new URL('../../../', import.meta.url))
const config = fileURLToPath(new URL('./vitest.config.ts', import.meta.url))
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

/** Bugs that run at once; each keeps a core busy. */
const AT_ONCE = Math.max(1, Math.min(4, availableParallelism()))

let running = 0
const waiting: (() => void)[] = []

/** The failed tests: at least one if the bug is caught. Throws if nothing can be said. */
export async function runSeededBug(bug: SeededBug): Promise<string[]> {
  seed(readFileSync(join(root, bug.file), 'utf8'), bug)
  if (running === AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else running++
  const folder = mkdtempSync(join(tmpdir(), 'millrace-seeded-bug-'))
  try {
    const report = join(folder, 'report.json')
    const selected = bug.tests === undefined ? [] : ['--testNamePattern', bug.tests]
    const output = await run([vitest, 'run', '--config', config, '--reporter=json', `--outputFile=${report}`, ...selected], bug)
    return failures(report, output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}

function run(args: string[], bug: SeededBug): Promise<string> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that the test's process goes too when it hangs.
    const child = spawn(process.execPath, args, {
      cwd: root,
      detached: true,
      env: { ...process.env, MILLRACE_SEEDED_BUG: JSON.stringify(bug) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    const timer = setTimeout(() => {
      process.kill(-(child.pid as number), 'SIGKILL')
      reject(new Error(`the test did not end within ${LIMIT_MILLISECONDS / 1000} s`))
    }, LIMIT_MILLISECONDS)
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(output)
    })
  })
}

interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[]
}

function failures(report: string, output: string): string[] {
  let tests: { status: string; fullName: string }[] = []
  try {
    tests = (JSON.parse(readFileSync(report, 'utf8')) as Report).testResults.flatMap(({ assertionResults }) => assertionResults)
  } catch (error) {
    throw new Error(`the test left no report:\n${output}`, { cause: error })
  }
  if (!tests.some(({ status }) => status === 'passed' || status === 'failed')) throw new Error(`no test ran:\n${output}`)
  return tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)
}
