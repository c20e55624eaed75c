/** Whether a process may join: what it says of itself, against what is known of the cluster. */
import type { Hello, Refused } from '../runtime/protocol/control.ts'
import { agreedProtocol, PROTOCOL_LEAST, PROTOCOL_MOST, type ProtocolRange } from '../runtime/protocol/version.ts'
import { isName, NAME_RULE } from './names.ts'
import type { CoordinatorLimits } from './options.ts'

export const PROTOCOLS: ProtocolRange = { least: PROTOCOL_LEAST, most: PROTOCOL_MOST }

/** Those that live, without the process itself. */
export interface Other {
  readonly name: string
  readonly group: string
  readonly protocol: ProtocolRange
}

/** Null if it may. */
export function refusal(hello: Hello, cluster: string, others: readonly Other[], limits: CoordinatorLimits): Refused | null {
  if (hello.cluster !== cluster)
    return refused('REFUSED', `this is the cluster "${cluster}", and the process belongs to "${hello.cluster}": join the right one`)
  if (!isName(hello.name)) return refused('CONFIG', `"${hello.name}" cannot be the name of a process: ${NAME_RULE}`)
  if (!isName(hello.group)) return refused('CONFIG', `"${hello.group}" cannot be the name of a worker group: ${NAME_RULE}`)
  if (hello.threads < 1 || hello.threads > limits.maximumThreads)
    return refused('CONFIG', `${hello.name} has ${hello.threads} threads: 1 to ${limits.maximumThreads} are possible`)
  if (!/^https?:\/\//.test(hello.address))
    return refused('CONFIG', `${hello.name} gave the address "${hello.address}", which is no http(s) URL that other processes could use`)
  if (agreedProtocol(PROTOCOLS, hello.protocol) === null)
    return refused(
      'PROTOCOL',
      `${hello.name} (release ${hello.version}) speaks protocol ${range(hello.protocol)}, the coordinator ${range(PROTOCOLS)}: upgrade the older one`,
    )
  const stranger = others.find((other) => other.group === hello.group && commonProtocol([other.protocol, hello.protocol]) === null)
  if (stranger !== undefined)
    return refused(
      'PROTOCOL',
      `${hello.name} (release ${hello.version}) speaks protocol ${range(hello.protocol)}, and ${stranger.name} of the same group only ${range(stranger.protocol)}: upgrade the older one first`,
    )
  if (others.some(({ name }) => name === hello.name))
    return refused(
      'DUPLICATE_NAME',
      `a process named "${hello.name}" is in the cluster already: stop it, or give this one another name`,
      true,
    )
  if (others.length >= limits.maximumProcesses)
    return refused('REFUSED', `the cluster has ${others.length} processes, and takes no more`, true)
  return null
}

/** The highest version that a coordinator of this release and all of them speak, or null. */
export function commonProtocol(ranges: readonly ProtocolRange[]): number | null {
  const least = Math.max(PROTOCOL_LEAST, ...ranges.map((one) => one.least))
  const most = Math.min(PROTOCOL_MOST, ...ranges.map((one) => one.most))
  return least <= most ? most : null
}

/** What a coordinator that does not lead says to everybody. */
export function notLeading(leader: string | null): Refused {
  const message =
    leader === null
      ? 'this coordinator does not lead, and no other one is known'
      : `this coordinator does not lead, the leader is ${leader}`
  return { kind: 'refused', code: 'REFUSED', message, retry: true, leader }
}

function refused(code: string, message: string, retry = false): Refused {
  return { kind: 'refused', code, message, retry, leader: null }
}

function range({ least, most }: ProtocolRange): string {
  return least === most ? `${least}` : `${least} to ${most}`
}
