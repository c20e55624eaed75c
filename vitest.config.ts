import { defineConfig } from 'vitest/config'

const common = { environment: 'node', pool: 'forks', setupFiles: ['tests/property-seed.ts'] }

/** `fast` is what one runs while writing, under a minute; `slow` takes what needs more rounds, under fifteen. */
export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'fast', include: ['tests/**/*.test.ts'], exclude: ['tests/slow/**'], testTimeout: 30_000 } },
      { test: { ...common, name: 'slow', include: ['tests/slow/**/*.test.ts'], testTimeout: 600_000 } },
    ],
  },
})
