/** What gateways of one generation ask each other, over `PeerService`. Each question names its generation. */
import type { CountedRow } from '../../runtime/protocol/thread.ts'
import type { ServiceMessage } from './peer-service.ts'

/** Rows that workers of the asked process have; one `gateway-rows` a worker, or several for many. */
export interface AskRows extends ServiceMessage {
  readonly kind: 'gateway-read'
  readonly generation: number
  readonly dataflow: number
  readonly output: string
  readonly errors: boolean
  readonly asOf: number
  readonly key: Readonly<Record<string, unknown>> | null
  readonly from: Readonly<Record<string, unknown>> | null
  readonly limit: number
  /** One worker, or null for all of the process. */
  readonly worker: number | null
}

export interface GatewayRows extends ServiceMessage {
  readonly kind: 'gateway-rows'
  readonly worker: number
  readonly rows: readonly CountedRow[]
}

/** All changes of the process's workers at times after `after`, until cancelled. */
export interface AskChanges extends ServiceMessage {
  readonly kind: 'gateway-follow'
  readonly generation: number
  readonly dataflow: number
  readonly output: string
  readonly after: number
}

/** Of one worker, at one time; several for many. */
export interface GatewayChanges extends ServiceMessage {
  readonly kind: 'gateway-changes'
  readonly time: number
  readonly changes: readonly CountedRow[]
}

/** All changes of the process's workers up to here were told. */
export interface GatewayComplete extends ServiceMessage {
  readonly kind: 'gateway-complete'
  readonly time: number
}

export type GatewayQuestion = AskRows | AskChanges
export type GatewayReply = GatewayRows | GatewayChanges | GatewayComplete
