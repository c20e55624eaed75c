/** Definitions of the operators that look at one row at a time. */
import { add, type Multiset, type Row } from './multiset.ts'

export function flatMapped(input: Multiset, fn: (row: Row) => Iterable<Row>): Multiset {
  const out: Multiset = new Map()
  for (const { row, count } of input.values()) for (const one of fn(row)) add(out, one, count)
  return out
}

export function mapped(input: Multiset, fn: (row: Row) => Row): Multiset {
  return flatMapped(input, (row) => [fn(row)])
}

export function filtered(input: Multiset, fn: (row: Row) => boolean): Multiset {
  return flatMapped(input, (row) => (fn(row) ? [row] : []))
}

export function negated(input: Multiset): Multiset {
  const out: Multiset = new Map()
  for (const { row, count } of input.values()) add(out, row, -count)
  return out
}

export function concatenated(...inputs: Multiset[]): Multiset {
  const out: Multiset = new Map()
  for (const input of inputs) for (const { row, count } of input.values()) add(out, row, count)
  return out
}
