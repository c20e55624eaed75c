/// <reference lib="esnext.disposable" preserve="true" />
/** `millrace/testing`: a job in a test, synchronous, with the clock in the test's hand; and on a whole simulated cluster. */
import type { InputDefinitions } from './operators/input-definition.ts'
import type { Job, OutputDefinitions } from './operators/job.ts'
import { MillraceError } from './runtime/error.ts'
import type { SimulateOptions, SimulationReport } from './simulation/simulate.ts'
import { App, type Time } from './worker/embedded.ts'
import type { InputsOf } from './worker/embedded-inputs.ts'
import type { OutputsOf } from './worker/embedded-outputs.ts'

export type { Faults } from './simulation/faults.ts'
export type { SimulatedInput, SimulateOptions, SimulationReport } from './simulation/simulate.ts'

export interface TestDriverOptions {
  /** What the clock shows at first: microseconds since 1970, or a Date; 2020-01-01T00:00:00Z unless given. */
  readonly start?: Time | bigint | Date
  /** As of `embed`; true unless given. */
  readonly development?: boolean
}

const START = Date.UTC(2020, 0, 1) * 1000

export class TestDriver<I extends InputDefinitions, O extends OutputDefinitions> implements Disposable {
  readonly inputs: InputsOf<I>
  readonly outputs: OutputsOf<O>
  readonly app: App<I, O>
  private clock: number

  constructor(job: Job<I, O>, { start = START, development = true }: TestDriverOptions = {}) {
    this.clock = microseconds(start)
    this.app = new App(job, { clock: () => this.clock, development })
    this.inputs = this.app.inputs
    this.outputs = this.app.outputs
  }

  /** What the clock shows, for columns of type timestamp: microseconds since 1970. */
  get now(): bigint {
    return BigInt(this.clock)
  }

  /** Makes what was written visible, and returns its time. The clock stands still, but each commit is at a later microsecond. */
  commit(): Time {
    const time = this.app.commit()
    if (time > this.clock) this.clock = time
    return time
  }

  /** Commits what was written, then lets a time pass, in microseconds: `t.advance(days(31))`. Rows expire. */
  advance(duration: bigint | number): Time {
    const microseconds = Number(duration)
    if (!Number.isSafeInteger(microseconds) || microseconds <= 0) {
      throw new MillraceError('BAD_TIME', `the clock cannot advance by ${duration}`, 'Give microseconds above 0, such as days(31).')
    }
    if (this.app.hasWritten) this.commit()
    return this.advanceTo(this.clock + microseconds)
  }

  /** Commits what was written at a later time, which the clock then shows. */
  advanceTo(time: Time | bigint | Date): Time {
    const to = microseconds(time)
    this.app.advanceTo(to)
    this.clock = to
    return to
  }

  close(): void {
    this.app.close()
  }

  [Symbol.dispose](): void {
    this.app.close()
  }
}

/** A job to be tested: write, commit, read. Closed by `using t = testDriver(job)`, or left to the garbage collector. */
export function testDriver<I extends InputDefinitions, O extends OutputDefinitions>(
  job: Job<I, O>,
  options?: TestDriverOptions,
): TestDriver<I, O> {
  return new TestDriver(job, options)
}

/**
 * Runs a job on a whole cluster in one process, from one seed: the real coordinator and worker processes on a simulated network, clock
 * and disk, while hosts crash, stop and lose each other. Every output is read and followed at every process, and compared, at every
 * time that anybody sees, with what one worker computes; in the end everything must be there.
 * @throws MillraceError INVARIANT with what was wrong, and when; the same options give the same run
 * @example
 *   await simulate(featureStore, { seed: 42, workers: 3, faults: 'harsh', inputs: { accounts: [{ accountId: 1, ownerId: 7 }] } })
 */
export async function simulate<I extends InputDefinitions, O extends OutputDefinitions>(
  job: Job<I, O>,
  options: SimulateOptions<I>,
): Promise<SimulationReport> {
  // Loaded when it is used: the test driver needs nothing of a cluster.
  const simulation = await import('./simulation/simulate.ts')
  return simulation.simulate(job, options)
}

function microseconds(time: Time | bigint | Date): number {
  return time instanceof Date ? time.getTime() * 1000 : Number(time)
}
