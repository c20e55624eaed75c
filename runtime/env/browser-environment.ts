/** Clock, randomness and timers of any modern JavaScript host; no files, no listening. */
import { MillraceError } from '../error.ts'
import type { Disk } from './disk.ts'
import type { Environment } from './environment.ts'
import { type FetchOptions, type Network, withToken } from './network.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'
import { SystemTimers } from './system-timers.ts'

export function browserEnvironment(): Environment {
  return {
    clock: new SystemClock(),
    random: new SystemRandom(),
    timers: new SystemTimers(),
    disk: noDisk,
    network: {
      serve: refuse('listening for connections'),
      connect: refuse('connecting to other processes'),
      fetch: fetchInBrowser,
    } satisfies Network,
  }
}

/** The browser decides whom it trusts. */
async function fetchInBrowser(request: Request, options: FetchOptions = {}): Promise<Response> {
  if (options.tls !== undefined) return await refuse('choosing a certificate authority')()
  return fetch(withToken(request, options.token))
}

function refuse(what: string): () => Promise<never> {
  return () =>
    Promise.reject(
      new MillraceError(
        'CONFIG',
        `${what} is not possible in a browser`,
        'Run this part of the job on Node, or feed the job through its in-process inputs.',
      ),
    )
}

const refuseDisk = refuse('access to files')

const noDisk: Disk = {
  open: refuseDisk,
  stat: refuseDisk,
  list: refuseDisk,
  rename: refuseDisk,
  remove: refuseDisk,
  makeDirectory: refuseDisk,
  syncDirectory: refuseDisk,
}
