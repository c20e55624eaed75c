// Runs the tests and closes with one plain line: `N passed, N failed` (and `, N skipped`).
//   node scripts/test.mjs [PROJECT]...    of fast, thorough and slow, see vitest.config.ts; all if none is named
// With CI=true a skipped test is a failure: a check that did not run has shown nothing.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** How many files at a time: slow tests have real processes with deadlines, and the machine to themselves. */
const PROJECTS = { fast: 2, thorough: 2, slow: 1 }
const named = process.argv.slice(2)
const unknown = named.find((name) => !Object.hasOwn(PROJECTS, name))
if (unknown !== undefined) {
  console.error(`There is no set of tests "${unknown}". Run: node scripts/test.mjs [${Object.keys(PROJECTS).join('] [')}]`)
  process.exit(2)
}

const counts = { passed: 0, failed: 0, skipped: 0 }
for (const project of named.length > 0 ? named : Object.keys(PROJECTS)) {
  const one = run(project, PROJECTS[project])
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
