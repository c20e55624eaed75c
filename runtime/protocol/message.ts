/** All that workers of one generation say to each other. */
import type { Frame } from '../channel/frame.ts'

/** One worker's changes of pointstamp counts, atomic; goes to every worker, the sender included. */
export interface ProgressUpdate {
  readonly kind: 'progress'
  readonly generation: number
  readonly dataflow: number
  /** The sending worker. */
  readonly from: number
  readonly changes: Float64Array
}

export type PeerMessage = Frame | ProgressUpdate

export interface Addressed {
  readonly to: number
  readonly message: PeerMessage
}
