/** The real world, on Node. */
import type { Environment } from './environment.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeNetwork } from './node-network.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'
import { SystemTimers } from './system-timers.ts'

export function nodeEnvironment(): Environment {
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    timers: new SystemTimers(),
    disk: new NodeDisk(),
    network: new NodeNetwork(),
  }
}
