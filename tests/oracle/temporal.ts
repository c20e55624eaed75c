/** Definition of validity: the rows whose bounds have the time between them; null is no bound. */

import type { Multiset } from './multiset.ts'
import { filtered } from './stateless.ts'

export function validAt(input: Multiset, time: number, from: string | null, until: string | null): Multiset {
  return filtered(input, (row) => {
    const start = from === null ? null : (row[from] as bigint | null)
    const end = until === null ? null : (row[until] as bigint | null)
    return (start === null || start <= BigInt(time)) && (end === null || BigInt(time) < end)
  })
}
