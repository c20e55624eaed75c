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

/** Fast tests share the cores; slow ones have real processes and deadlines, and run one file at a time. */
const projects =
  which === 'fast'
    ? [['fast', 2]]
    : [
        ['fast', 2],
        ['slow', 1],
      ]
const counts = { passed: 0, failed: 0, skipped: 0 }
for (const [project, workers] of projects) {
  const one = run(project, workers)
  for (const kind of Object.keys(counts)) counts[kind] += one[kind]
}

const { passed, failed, skipped } = counts
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
const skippedFails = process.env.CI === 'true' && skipped > 0
if (skippedFails) console.error('A skipped test is a failure here (CI=true).')
process.exitCode = failed > 0 || skippedFails || passed === 0 ? 1 : 0

function run(project, workers) {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const report = join(folder, 'report.json')
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const options = ['run', '--project', project, `--maxWorkers=${workers}`, ...reporters]
  const { status } = spawnSync(process.execPath, [vitest, ...options], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  let found = { passed: 0, failed: 1, skipped: 0 }
  try {
    found = count(JSON.parse(readFileSync(report, 'utf8')))
  } catch (error) {
    console.error(`The test runner left no report: ${error.message}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (status !== 0 && found.failed === 0) found.failed = 1
  return found
}

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
