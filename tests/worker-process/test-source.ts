/** A source that the test fills, and what most tests of a process's dataflows begin with. */
import { source as generator, type SourceOptions } from '../../connectors/replayable-generator.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import type { Cut, SourceAssignment } from '../../runtime/protocol/control.ts'
import type { PartitionReader, ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'
import { type FakeJob, Script, type Started } from './scripted-coordinator.ts'

export const columns = { id: int32 }

/** Gives what the test puts into it. */
export class TestSource implements ReplayableSource {
  readonly kind = 'test'
  readonly rows = new Map<string, number>()
  failure: Error | null = null
  opened: (number | null)[] = []
  closed = 0

  constructor(partitions: Record<string, number>) {
    for (const [name, count] of Object.entries(partitions)) this.rows.set(name, count)
  }

  async partitions(): Promise<readonly string[]> {
    if (this.failure !== null) throw this.failure
    return [...this.rows.keys()]
  }

  async open(_: unknown, __: unknown, partition: string, after: unknown): Promise<PartitionReader> {
    if (this.failure !== null) throw this.failure
    this.opened.push(after as number | null)
    let next = (after ?? 0) as number
    const source = this
    return {
      get behind() {
        return next < (source.rows.get(partition) as number)
      },
      hasReached: (position) => next >= (position as number),
      async poll(until): Promise<SourceBatch | null> {
        if (source.failure !== null) throw source.failure
        const end = Math.min(next + 3, source.rows.get(partition) as number, (until ?? Number.POSITIVE_INFINITY) as number)
        if (end <= next) return null
        const rows = Array.from({ length: end - next }, (_, i) => ({ id: `${partition}${next + i}` }))
        next = end
        return { runs: [{ op: 'insert', rows }], position: next }
      },
      async close() {
        source.closed++
      },
    }
  }
}

export const job = (source: ReplayableSource): FakeJob => ({ inputs: { in: { columns } }, sources: { in: source } })
export const assign = (partition: string, worker: number): SourceAssignment => ({ input: 'in', partition, worker })
export const cut = (partition: string, time: number, position: number | null): Cut => ({ input: 'in', partition, time, position })

export const readsOf = (read: SourceOptions['read']): ReplayableSource => generator({ partitions: ['a'], read })

export function world(source: ReplayableSource, options = {}): { script: Script; one: Started } {
  const script = new Script()
  script.listen('c')
  return { script, one: script.process('w', job(source), options) }
}

export function advance(script: Script, generation: number, fields: { minted?: number; visible?: number; compactTo?: number }): void {
  const times = (time: number | undefined) => (time === undefined ? [] : [{ dataflow: 7, time }])
  const { minted, visible, compactTo } = fields
  script.session.send({ kind: 'advance', generation, minted: times(minted), visible: times(visible), compactTo: times(compactTo) })
}

export const rows = (partition: string, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `in ${partition}${from + i}`)
