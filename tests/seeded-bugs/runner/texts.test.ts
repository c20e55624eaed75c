/** Seeded bugs fit the sources: each text that one replaces is there once. Whether they are caught takes minutes: `tests/slow`. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { families } from './families.ts'
import { seed } from './seeded-bug.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

describe.each(Object.entries(families))('%s', (_, bugs) => {
  test.each(bugs.map((bug) => [bug.title, bug] as const))('%s', (_title, bug) => {
    const text = readFileSync(`${root}${bug.file}`, 'utf8')
    expect(seed(text, bug)).not.toBe(text)
    expect(existsSync(`${root}${bug.caughtBy}`)).toBe(true)
  })
})
