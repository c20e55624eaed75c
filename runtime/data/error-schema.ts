/**
 * The rows of every error collection. Bad data never stops a dataflow: a row that an operator cannot work on becomes
 * one row of this schema, with the multiplicity of what caused it, and goes away with its cause.
 */
import { nullable, text } from './column-type.ts'
import { Schema } from './schema.ts'

export const errorSchema = new Schema({
  /** Kind of the operator, such as `map`. */
  operator: text,
  /** Where the user's program made the operator, as `file:line`; empty if unknown. */
  origin: text,
  /** The row, or the key of the group, as text. */
  row: nullable(text),
  message: text,
  /** The source, and the place in it, that the row came from; null for what an operator met. */
  source: nullable(text),
  position: nullable(text),
})
