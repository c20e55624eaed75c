/**
 * Where the cluster's feature store gets its rows: the change logs that the generator writes.
 *
 *   node dist/examples/feature-store/generator.js --dir feature-store-logs --rate 2000
 */
import { join } from 'node:path'
import { defineConfig, files } from '../../../config.ts'
import type featureStore from './job.ts'

/** Relative paths are of the working directory of the worker processes. */
const logs = process.env['FEATURE_STORE_LOGS'] ?? 'feature-store-logs'

export default defineConfig<typeof featureStore>({
  sources: {
    accounts: files({ path: join(logs, 'accounts.jsonl') }),
    frauds: files({ path: join(logs, 'frauds.jsonl') }),
  },
})
