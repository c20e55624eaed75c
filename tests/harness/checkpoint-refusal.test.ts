/** State that cannot be stored yet is refused when checkpoints are asked for, never left out. */
import { expect, test } from 'vitest'
import { days, int32, job, table, timestamp } from '../../millrace.ts'
import { MemoryBlockStore } from '../../runtime/trace/block-store.ts'
import { SimulatedCluster } from '../../worker/simulated-cluster.ts'

const inputs = { rows: table({ id: int32, next: int32, at: timestamp }) }

test.each([
  ['validBetween', job('valid', inputs, ({ rows }) => ({ out: rows.validFor((row) => row.at, days(1)) }))],
  ['leave', job('loop', inputs, ({ rows }) => ({ out: rows.select((row) => ({ id: row.id })).iterate((ids) => ids.distinct()) }))],
] as const)('%s', (_, definition) => {
  const open = () => new SimulatedCluster(definition, { workers: 1, below: () => 0, blocks: new MemoryBlockStore() })
  expect(open).toThrow(/cannot be checkpointed/)
})
