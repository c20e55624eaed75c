/** Of which operator the rows of an error stream tell, as far as that is known: their first two columns. */

import type { Operator } from '../runtime/graph/operator.ts'
import type { Stream } from '../runtime/graph/stream.ts'

export interface ErrorIdentity {
  /** Kind of the operator, such as `map`. */
  readonly operator: string
  /** Where it was made, as `file:line`; the name of an input. */
  readonly origin: string
}

const identities = new WeakMap<Operator, ErrorIdentity>()

/** All error rows that `source` sends have this operator and origin. */
export function identifyErrors(source: Operator, identity: ErrorIdentity): void {
  identities.set(source, identity)
}

export function errorIdentity(stream: Stream): ErrorIdentity | null {
  return identities.get(stream.operator) ?? null
}
