/**
 * Garbage collection of one worker: key ids without state, then dictionary ids that nothing refers to any more.
 *
 * Mark and sweep at local quiescence, when all state is in traces and state cells and all queues are empty. It runs when a
 * table has doubled, so its cost is a constant a row in the long run; nothing is counted on the way of a row.
 */
import type { Batch } from '../data/batch.ts'
import { type ColumnType, isInterned } from '../data/column-type.ts'
import type { Dictionary } from '../data/dictionary.ts'
import type { Dataflow } from './dataflow.ts'

/** Whether a collection is worth its work. */
export function isGarbageDue(dictionary: Dictionary, dataflows: readonly Dataflow[]): boolean {
  if (dictionary.shouldCollect()) return true
  for (let i = 0; i < dataflows.length; i++) {
    const tables = dataflows[i].keyTables
    for (let j = 0; j < tables.length; j++) if (tables[j].shouldSweep) return true
  }
  return false
}

/** What else refers to strings. */
export interface DictionaryRoots {
  markDictionary(dictionary: Dictionary): void
}

/** Collects, unless rows wait in some queue; the dataflows and roots are all that use the dictionary. Returns whether it did. */
export function collectGarbage(dictionary: Dictionary, dataflows: readonly Dataflow[], roots: readonly DictionaryRoots[] = []): boolean {
  for (const { operators, isRunning } of dataflows) {
    if (isRunning) return false
    for (const { inputs } of operators) for (const port of inputs) if (port.length > 0) return false
  }
  dictionary.beginMark()
  for (const { keyTables, operators } of dataflows) {
    for (const table of keyTables) table.sweep(dictionary)
    for (const operator of operators) operator.markDictionary(dictionary)
  }
  for (const root of roots) root.markDictionary(dictionary)
  dictionary.sweep()
  return true
}

/** Marks the ids in the rows of a batch; `types` are those of its columns. */
export function markBatch(dictionary: Dictionary, batch: Batch, types: readonly ColumnType[]): void {
  types.forEach((type, c) => {
    if (!isInterned(type)) return
    const column = batch.columns[c]
    for (let i = 0; i < batch.n; i++) dictionary.mark(column[i])
  })
}
