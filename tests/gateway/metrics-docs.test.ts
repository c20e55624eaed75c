/** The documentation lists exactly the metrics that there are. MILLRACE_WRITE_DOCS=1 writes its tables. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { COORDINATOR_METRICS } from '../../coordinator/metrics-definitions.ts'
import type { MetricDefinition } from '../../runtime/log/metric-set.ts'
import { PROCESS_METRICS } from '../../worker/process/metrics-definitions.ts'

const PAGE = new URL('../../docs/metrics.md', import.meta.url)

function table(definitions: Readonly<Record<string, MetricDefinition>>): string {
  const rows = Object.values(definitions).map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return ['| metric | type | labels | |', '|---|---|---|---|', ...rows].join('\n')
}

const tables = { worker: table(PROCESS_METRICS), coordinator: table(COORDINATOR_METRICS) }

test('docs/metrics.md has all metrics', () => {
  const page = readFileSync(PAGE, 'utf8')
  let expected = page
  for (const [name, text] of Object.entries(tables)) {
    const at = new RegExp(`<!-- ${name} -->\\n(?:\\n\\|[^\\n]*(?:\\n\\|[^\\n]*)*\\n)?`)
    expect(page).toMatch(at)
    expected = expected.replace(at, () => `<!-- ${name} -->\n\n${text}\n`)
  }
  if (process.env['MILLRACE_WRITE_DOCS'] === '1') writeFileSync(PAGE, expected)
  else expect(page).toBe(expected)
})

test('names are as Prometheus wants them', () => {
  const all: MetricDefinition[] = [...Object.values(PROCESS_METRICS), ...Object.values(COORDINATOR_METRICS)]
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
  for (const { name, type, help, labels } of all) {
    // Those of the target: Prometheus would rename ours.
    for (const label of ['job', 'instance']) expect(labels, name).not.toContain(label)
    expect(name).toMatch(/^millrace_[a-z_]+$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(help, name).toMatch(/\.$/)
  }
})
