/** Whether a generation can go on after its coordinator was away, from what its members hold. */
import type { HeldGeneration, ProcessId } from '../runtime/protocol/control.ts'
import type { Dataflow } from './dataflow.ts'
import { isCode } from './error-code.ts'
import type { CoordinatorLimits } from './options.ts'
import { ReplayLog } from './replay-log.ts'

/**
 * Brings the logs to what the members know, which may be more than was stored. All members have to be there; a dataflow that was not
 * started at all is installed anew.
 *
 * @returns null if the generation can go on, else why it cannot
 */
export function resumeLogs(
  dataflows: Iterable<Dataflow>,
  held: ReadonlyMap<ProcessId, HeldGeneration>,
  limits: CoordinatorLimits,
): string | null {
  for (const dataflow of dataflows) {
    const parts = [...held.values()].flatMap(({ dataflows: all }) => all.filter((one) => one.dataflow === dataflow.number))
    if (parts.length === 0) continue
    const { name } = dataflow.job
    if (parts.length < held.size) return `job ${name} had been started at ${parts.length} of ${held.size} processes`
    const visible = Math.max(...parts.map((one) => one.visible))
    if (visible <= dataflow.log.visible) continue
    if (!parts.every(({ live }) => live)) return `job ${name} had not read all that it has to read again`
    const log = new ReplayLog(visible - 1, limits)
    try {
      for (const { cuts } of parts) for (const cut of cuts) log.addCut(cut)
    } catch (error) {
      if (!isCode(error, 'PROTOCOL')) throw error
      return `what the processes know of job ${name} does not fit together`
    }
    log.makeVisible([visible])
    dataflow.log = log
    dataflow.seen = visible
    dataflow.timeline.mint(visible)
  }
  return null
}
