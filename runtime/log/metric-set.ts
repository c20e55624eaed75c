/**
 * Metrics by definitions: name, help and labels are data, so that the documentation and the alerts can be held to them. Rendered by
 * prom-client in the text format of Prometheus.
 *
 * Values that something knows at any time are asked for when they are scraped (`gauge`, `total`); only what would be lost in between is
 * counted as it happens (`counter`, `histogram`).
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { invariant } from '../error.ts'

export interface MetricDefinition {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  /** Each with a bounded number of values. */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram, seconds. */
  readonly buckets?: readonly number[]
}

export type Labels = Readonly<Record<string, string | number>>

/** Values of labels that users choose, such as names of jobs: more than these are counted together as `other`. */
export const MAXIMUM_LABEL_VALUES = 100
const OTHER = 'other'

/** Takes a value each time it is called for other labels; for the same labels the values are summed up. */
export type Fill = (labels: Labels, value: number) => void

export class MetricSet {
  readonly contentType: string
  private readonly registry = new Registry()
  private readonly missing: Set<string>
  private readonly known = new Map<string, Set<string>>()

  constructor(definitions: Readonly<Record<string, MetricDefinition>>) {
    this.contentType = this.registry.contentType
    this.missing = new Set(Object.values(definitions).map(({ name }) => name))
  }

  /** Asked at each scrape; labels that it does not name any more go away. */
  gauge(definition: MetricDefinition, ask: (fill: Fill) => void): void {
    this.asked(definition, ask)
  }

  /** As `gauge`, for what only grows until whatever counts it starts again. */
  total(definition: MetricDefinition, ask: (fill: Fill) => void): void {
    this.asked(definition, ask)
  }

  counter(definition: MetricDefinition): (labels: Labels) => void {
    const counter = new Counter({ ...this.options(definition), registers: [this.registry] })
    if (definition.labels.length === 0) counter.inc(0)
    return (labels) => counter.inc(this.bounded(labels))
  }

  histogram(definition: MetricDefinition): (labels: Labels, seconds: number) => void {
    const buckets = [...(definition.buckets ?? [])]
    const histogram = new Histogram({ ...this.options(definition), buckets, registers: [this.registry] })
    return (labels, seconds) => histogram.observe(this.bounded(labels), seconds)
  }

  /** Adds what prom-client knows of the Node process: CPU, memory, garbage, the event loop's delay. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  async text(): Promise<string> {
    invariant(this.missing.size === 0, `the metrics ${[...this.missing].join(', ')} are defined and not collected`)
    return await this.registry.metrics()
  }

  private asked(definition: MetricDefinition, ask: (fill: Fill) => void): void {
    const bounded = (labels: Labels): Labels => this.bounded(labels)
    if (definition.type === 'counter')
      new Counter({
        ...this.options(definition),
        registers: [this.registry],
        collect() {
          this.reset()
          ask((labels, value) => this.inc(bounded(labels), value))
        },
      })
    else
      new Gauge({
        ...this.options(definition),
        registers: [this.registry],
        collect() {
          this.reset()
          ask((labels, value) => this.inc(bounded(labels), value))
        },
      })
  }

  private options({ name, help, labels }: MetricDefinition): { name: string; help: string; labelNames: string[] } {
    invariant(this.missing.delete(name), `the metric ${name} is not defined, or collected twice`)
    return { name, help, labelNames: [...labels] }
  }

  private bounded(labels: Labels): Record<string, string | number> {
    const result: Record<string, string | number> = {}
    for (const [name, value] of Object.entries(labels)) {
      const values = this.known.get(name) ?? new Set()
      this.known.set(name, values)
      const isKnown = values.has(String(value)) || values.size < MAXIMUM_LABEL_VALUES
      if (isKnown) values.add(String(value))
      result[name] = isKnown ? value : OTHER
    }
    return result
  }
}
