/**
 * The durable facts: their keys, and their content as bytes. Everything that a coordinator needs to go on after a restart, and
 * nothing that grows with the rows or with time.
 */
import { MillraceError } from '../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../runtime/protocol/codec.ts'
import type { Cut, Member } from '../runtime/protocol/control.ts'
import type { Fact, MetadataStore } from './metadata/metadata-store.ts'

/** Whose facts these are: a coordinator of another cluster does not touch them. */
export interface ClusterFact {
  readonly kind: 'cluster'
  readonly name: string
}

/** No time at or above it was minted. */
export interface CeilingFact {
  readonly kind: 'ceiling'
  readonly time: number
}

/** The next dataflow gets this number; none is used twice. */
export interface NextDataflowFact {
  readonly kind: 'next-dataflow'
  readonly dataflow: number
}

export interface GroupFact {
  readonly kind: 'group'
  readonly name: string
  readonly generation: number
  readonly members: readonly Member[]
  /** By virtual shard the worker; empty without members. */
  readonly owners: readonly number[]
  readonly reason: string
  /** Wall clock, microseconds. */
  readonly began: number
}

export interface JobFact {
  readonly kind: 'job'
  readonly name: string
  readonly group: string
  readonly digest: string
  readonly bundleBytes: number
  readonly dataflow: number
  readonly deployed: number
  readonly failure: { readonly code: string; readonly message: string } | null
}

export interface BundleFact {
  readonly kind: 'bundle'
  readonly code: string
}

/** What a dataflow goes on from: see `ReplayLog`. */
export interface ReplayFact {
  readonly kind: 'replay'
  readonly dataflow: number
  readonly generation: number
  readonly since: number
  readonly times: readonly number[]
  readonly cuts: readonly Cut[]
  readonly temporal: boolean
}

/** Times that may have become visible after the dataflow's `ReplayFact` was written, in the same generation, and the cuts at them. */
export interface SettledFact {
  readonly kind: 'settled'
  readonly dataflow: number
  readonly generation: number
  readonly times: readonly number[]
  readonly cuts: readonly Cut[]
}

export type StoredFact = ClusterFact | CeilingFact | NextDataflowFact | GroupFact | JobFact | BundleFact | ReplayFact | SettledFact

export const CLUSTER_KEY = 'cluster'
export const CEILING_KEY = 'ceiling'
export const NEXT_DATAFLOW_KEY = 'next-dataflow'
export const GROUP_PREFIX = 'group/'
export const JOB_PREFIX = 'job/'
export const BUNDLE_PREFIX = 'bundle/'
export const REPLAY_PREFIX = 'replay/'
export const SETTLED_PREFIX = 'settled/'

export function groupKey(name: string): string {
  return GROUP_PREFIX + name
}

export function jobKey(name: string): string {
  return JOB_PREFIX + name
}

export function bundleKey(digest: string): string {
  return BUNDLE_PREFIX + digest
}

export function replayKey(dataflow: number): string {
  return `${REPLAY_PREFIX}${dataflow}`
}

/** Sorts by time. */
export function settledKey(dataflow: number, time: number): string {
  return `${settledPrefix(dataflow)}${String(time).padStart(16, '0')}`
}

export function settledPrefix(dataflow: number): string {
  return `${SETTLED_PREFIX}${dataflow}/`
}

export function setFact(key: string, fact: StoredFact): Fact {
  return { key, value: encodeMessage(fact) }
}

export function removeFact(key: string): Fact {
  return { key, value: null }
}

/** @throws MillraceError STORE if the store cannot be read, or what it holds is something else */
export async function readFact<K extends StoredFact['kind']>(
  store: MetadataStore,
  key: string,
  kind: K,
): Promise<Extract<StoredFact, { kind: K }> | null> {
  const bytes = await store.read(key)
  if (bytes === null) return null
  try {
    const fact = decodeMessage<StoredFact>(bytes)
    if (fact.kind === kind) return fact as Extract<StoredFact, { kind: K }>
  } catch (error) {
    throw unreadable(key, error)
  }
  throw unreadable(key, undefined)
}

function unreadable(key: string, cause: unknown): MillraceError {
  const hint = 'The metadata was written by something else, or by a later release of Millrace.'
  return new MillraceError('STORE', `the metadata store holds no ${key} that this release can read`, hint, { cause })
}
