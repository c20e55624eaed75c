/** Whether two positions say the same, whatever the order of their fields. */
import type { Position } from '../runtime/protocol/position.ts'

export function samePosition(a: Position | null, b: Position | null): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const [keys, others] = [Object.keys(a), Object.keys(b)]
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== others.length) return false
  const [left, right] = [a as { readonly [field: string]: Position | null }, b as { readonly [field: string]: Position | null }]
  return keys.every((key) => Object.hasOwn(right, key) && samePosition(left[key], right[key]))
}
