import type { Timer, Timers } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'

/** The answer may still come, or what was asked for happen. */
export class TooLate extends MillraceError {
  constructor(milliseconds: number) {
    super('STORE', `no answer from the metadata store within ${milliseconds} ms`)
  }
}

/** @throws TooLate */
export async function withinTime<T>(timers: Timers, milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = timers.setTimeout(() => reject(new TooLate(milliseconds)), milliseconds)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    timer?.clear()
  }
}
