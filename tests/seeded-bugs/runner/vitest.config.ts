/** Runs one test file with one bug in one source file; both come in the environment from `run-seeded-bug.ts`. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { type SeededBug, seed } from './seeded-bug.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const bug = JSON.parse(process.env.MILLRACE_SEEDED_BUG ?? 'null') as SeededBug
const file = `${root}${bug.file}`

export default defineConfig({
  root,
  plugins: [
    {
      name: 'seeded-bug',
      enforce: 'pre',
      transform: (text, id) => (id.split('?')[0] === file ? { code: seed(text, bug), map: null } : undefined),
    },
  ],
  test: {
    environment: 'node',
    pool: 'forks',
    include: [bug.caughtBy],
    bail: 1,
    setupFiles: [fileURLToPath(new URL('./first-failure.ts', import.meta.url))],
  },
})
