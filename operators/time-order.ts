/** How an operator with several inputs outside loops keeps to the order of times. */
import type { Port } from '../runtime/graph/operator.ts'

/** The port whose oldest batch comes next; -1 if there is none, or if another port may still bring an earlier one. */
export function nextInTimeOrder(ports: readonly Port[]): number {
  let best = -1
  let time = Number.POSITIVE_INFINITY
  let possible = Number.POSITIVE_INFINITY
  for (let i = 0; i < ports.length; i++) {
    const port = ports[i]
    const batch = port.peek()
    if (batch === null) {
      if (port.frontier < possible) possible = port.frontier
    } else if (batch.time < time) {
      time = batch.time
      best = i
    }
  }
  return time <= possible ? best : -1
}

/** The least time of what waits in the ports or may still come into them. */
export function leastTime(ports: readonly Port[]): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < ports.length; i++) {
    const port = ports[i]
    const time = port.peek()?.time ?? port.frontier
    if (time < least) least = time
    if (port.frontier < least) least = port.frontier
  }
  return least
}
