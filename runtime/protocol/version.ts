/**
 * Versions of what processes say to each other. A release speaks its own version and the one before, so that a cluster is
 * upgraded one process at a time; two ends agree on the highest that both speak, when they connect.
 *
 * 1: frames carry all their strings. 2: frames carry only strings that the other worker has not been told yet.
 */
export const PROTOCOL_LEAST = 1
export const PROTOCOL_MOST = 2

export interface ProtocolRange {
  readonly least: number
  readonly most: number
}

/** The version that two ends speak, or null if there is none. */
export function agreedProtocol(mine: ProtocolRange, theirs: ProtocolRange): number | null {
  const version = Math.min(mine.most, theirs.most)
  return version >= mine.least && version >= theirs.least ? version : null
}
