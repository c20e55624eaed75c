/** The alerts name only metrics and labels that there are, and say what to do. */
import { readFileSync } from 'node:fs'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { COORDINATOR_METRICS } from '../../coordinator/metrics-definitions.ts'
import type { MetricDefinition } from '../../runtime/log/metric-set.ts'
import { PROCESS_METRICS } from '../../worker/process/metrics-definitions.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const file = parse(readFileSync(new URL('../../ops/alerts.yml', import.meta.url), 'utf8')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}
const rules = file.groups.flatMap((group) => group.rules)

/** Labels of every series that is scraped. */
const OF_THE_TARGET = ['instance', 'job']

/** Names of series, with their labels. */
function seriesOf(definitions: readonly MetricDefinition[]): Map<string, readonly string[]> {
  const series = new Map<string, readonly string[]>()
  for (const { name, type, labels } of definitions) {
    if (type !== 'histogram') series.set(name, labels)
    else {
      series.set(`${name}_bucket`, [...labels, 'le'])
      for (const end of ['sum', 'count']) series.set(`${name}_${end}`, labels)
    }
  }
  return series
}

function nodeMetrics(): string[] {
  const register = new Registry()
  collectDefaultMetrics({ register })
  return register.getMetricsAsArray().map(({ name }) => name)
}

const ours = seriesOf([...Object.values(PROCESS_METRICS), ...Object.values(COORDINATOR_METRICS)])
const known = new Map([...ours, ...nodeMetrics().map((name) => [name, []] as const)])

/** What an expression uses: series, each with the labels that it selects by; labels that it groups by; all else in words. */
function parts(expr: string): { series: { name: string; labels: string[] }[]; grouped: string[]; words: string[] } {
  const plain = expr.replace(/"[^"]*"/g, '""')
  const grouped = [...plain.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap((match) =>
    match[1].split(',').map((one) => one.trim()),
  )
  const bare = plain.replace(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, '')
  const series = [...bare.matchAll(/\b((?:millrace|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)].map((match) => ({
    name: match[1],
    labels: [...(match[2] ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map((label) => label[1]),
  }))
  const rest = bare.replace(/\b(?:millrace|nodejs|process)_\w+(?:\{[^}]*\})?/g, '').replace(/\[\d+[smhd]\]/g, '')
  return { series, grouped, words: [...rest.matchAll(/\b[a-z_]+\b/g)].map((match) => match[0]) }
}

const WORDS = new Set(['sum', 'min_over_time', 'rate', 'increase', 'histogram_quantile', 'vector', 'and', 'or'])

describe.each(rules.map((rule) => [rule.alert, rule] as const))('%s', (_, rule) => {
  test('uses what there is', () => {
    const { series, grouped, words } = parts(rule.expr)
    expect(series.length).toBeGreaterThan(0)
    for (const { name, labels } of series) {
      expect(known.has(name), `there is no metric ${name}`).toBe(true)
      for (const label of labels) expect(known.get(name), `${name} has no label ${label}`).toContain(label)
    }
    const labels = new Set([...series.flatMap(({ name }) => known.get(name) ?? []), ...OF_THE_TARGET])
    for (const label of grouped) expect(labels, `nothing in the expression has the label ${label}`).toContain(label)
    for (const word of words) expect(WORDS, `${word} is no function that we know`).toContain(word)
    expect([...rule.expr].filter((c) => c === '(').length).toBe([...rule.expr].filter((c) => c === ')').length)
  })

  test('counters are asked for their rate, gauges for their value', () => {
    for (const { name } of parts(rule.expr).series) {
      const isCounter = /_(?:total|bucket|count|sum)$/.test(name)
      const isRated = new RegExp(`(?:rate|increase)\\(${name}(?:\\{[^}]*\\})?\\[`).test(rule.expr)
      expect(isRated, name).toBe(isCounter)
    }
  })

  test('says what and what to do, with labels that the result has', () => {
    expect(rule.alert).toMatch(/^Millrace[A-Z]\w+$/)
    expect(['critical', 'warning', 'info']).toContain(rule.labels['severity'])
    expect(rule.annotations['summary']).toMatch(/\.$/)
    expect(rule.annotations['description']?.length).toBeGreaterThan(40)
    const { series, grouped } = parts(rule.expr)
    const available = grouped.length > 0 ? grouped : [...series.flatMap(({ name }) => known.get(name) ?? []), ...OF_THE_TARGET]
    for (const text of Object.values(rule.annotations))
      for (const [, label] of text.matchAll(/\$labels\.(\w+)/g)) expect(available, `the result has no label ${label}`).toContain(label)
  })
})

test('each alert once', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
})

test('the check finds what is not there', () => {
  expect(known.has('millrace_nothing')).toBe(false)
  expect(parts('sum by (le, job) (rate(millrace_x_bucket{result=~"a|b"}[5m])) > 1')).toEqual({
    series: [{ name: 'millrace_x_bucket', labels: ['result'] }],
    grouped: ['le', 'job'],
    words: ['sum', 'rate'],
  })
})
