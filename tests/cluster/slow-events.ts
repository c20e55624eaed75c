/** A part of a load's job that spends time on each event, in a process that is told a file, while the file is there. */
import type { LoadOptions } from './load.ts'

export const SLOW_FILE_VARIABLE = 'MILLRACE_TEST_SLOW_FILE'
/** Milliseconds between looks for the file. */
const LOOK_MILLISECONDS = 20

/** @param microseconds for each event */
export function slowEvents(microseconds: number): Pick<LoadOptions, 'code' | 'events'> {
  return {
    code: `import { existsSync } from 'node:fs'

const file = process.env['${SLOW_FILE_VARIABLE}']
let slow = false
let looked = 0

function spend(row) {
  if (file === undefined) return true
  const from = performance.now()
  if (from - looked > ${LOOK_MILLISECONDS}) {
    slow = existsSync(file)
    looked = from
  }
  if (slow) while (performance.now() - from < ${microseconds / 1000});
  return true
}
`,
    events: '.filterRows(spend)',
  }
}
