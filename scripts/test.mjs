// Runs the tests and closes with one plain line: `N passed, N failed` (and `, N skipped`).
//   node scripts/test.mjs [fast]    `fast` leaves out tests/slow
// With CI=true a skipped test is a failure: a check that did not run has shown nothing.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const which = process.argv[2] ?? 'all'
if (which !== 'all' && which !== 'fast') {
  console.error(`There is no set of tests "${which}". Run: node scripts/test.mjs [fast]`)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
const report = join(folder, 'report.json')
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const options = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
if (which === 'fast') options.push('--project', 'fast')
const { status } = spawnSync(process.execPath, [vitest, ...options], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })

let counts = { passed: 0, failed: 1, skipped: 0 }
try {
  counts = count(JSON.parse(readFileSync(report, 'utf8')))
} catch (error) {
  console.error(`The test runner left no report: ${error.message}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (status !== 0 && counts.failed === 0) counts.failed = 1

const { passed, failed, skipped } = counts
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
const skippedFails = process.env.CI === 'true' && skipped > 0
if (skippedFails) console.error('A skipped test is a failure here (CI=true).')
process.exitCode = failed > 0 || skippedFails || passed === 0 ? 1 : 0

/** A file that could not be loaded has no failed test of its own, and counts as one. */
function count(report) {
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
