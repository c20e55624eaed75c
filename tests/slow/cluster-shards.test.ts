/** A key that is far more frequent than others, as one finds it with the command line. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ClusterStatus } from '../../coordinator/status.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { hashKeys, virtualShard } from '../../runtime/data/key-hash.ts'
import { BuiltCli, until } from '../cli/built-cli.ts'
import { type Workspace, workspace } from '../cli/workspace.ts'

const cli = new BuiltCli()
let folder: Workspace | null = null
beforeAll(() => cli.build())
afterAll(() => {
  cli.remove()
  folder?.[Symbol.dispose]()
})

const FREQUENT = 12_345
/** With a maximum, so that rows of one city are not added up to one before they are exchanged. */
const JOB = `import { count, int32, job, max, table } from 'millrace'
export default job('orders', { orders: table({ id: int32, city: int32 }, { key: 'id' }) }, ({ orders }) => ({
  byCity: orders.groupBy('city').aggregate((o) => ({ n: count(), last: max(o.id) })).keyBy('city'),
}))
`
/** Each row is exchanged by its id, and by its city, which is the frequent one in four of five. */
const LEAST_SHARE = 0.2

test('status --shards names the shard of a frequent key and who owns it', { timeout: 60_000 }, async () => {
  folder = workspace({
    'job.ts': JOB,
    'millrace.config.ts': `import { defineConfig, generated } from 'millrace/config'
const rows = (partition, i) => ({ id: i * 4 + partition, city: i % 5 === 0 ? i : ${FREQUENT} })
export default defineConfig({ sources: { orders: generated({ partitions: 4, total: 1_000_000, rate: 2000, rows }) } })
`,
  })
  const places = ['--processes', '2', '--workers', '2', '--listen', '0', '--http', '0']
  const run = cli.start(['run', folder.path('job.ts'), ...places])
  const coordinator = await run.says(/coordinator {2}(http:\S+)/)
  await run.says(/orders is running/)
  const hashes = new Int32Array(1)
  hashKeys([Int32Array.of(FREQUENT)], [int32], 1, new Dictionary(), hashes)
  const shard = virtualShard(hashes[0])

  const busiest = await until(async () => {
    const { jobs } = (await (await fetch(`${coordinator}/v1/status`)).json()) as ClusterStatus
    const [first] = jobs[0].busiestShards
    return first !== undefined && first.shard === shard && first.share > LEAST_SHARE ? first : undefined
  }, 'the busiest shard')
  expect(busiest.share).toBeLessThan(0.9)
  expect(['worker-1', 'worker-2']).toContain(busiest.process)
  expect([0, 1, 2, 3]).toContain(busiest.worker)

  const told = cli.start(['status', '--to', coordinator, '--shards', '--events', '0'])
  expect(await told.ended).toBe(0)
  expect(told.out).toMatch(/busiest shards of orders, of 1,024/)
  expect(told.out).toMatch(new RegExp(`^ *${shard} +\\d+\\.\\d% +\\d+\\.\\d +${busiest.worker} +${busiest.process}$`, 'm'))

  run.child.kill('SIGINT')
  expect(await run.ended).toBe(0)
})
