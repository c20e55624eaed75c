/** What an embedded app keeps, and how far its operators are, in numbers. */
import { ArrangeOperator } from '../operators/arrange.ts'
import type { Schedulable } from '../runtime/graph/schedulable.ts'
import type { StateStats } from '../runtime/log/state-stats.ts'
import type { EnginePart } from './engine-part.ts'

/** The state of one operator. */
export interface OperatorState extends StateStats {
  /** Its number among the app's operators, in their order. */
  readonly id: number
  /** Its kind, such as `arrange`; of an import and of what belongs to an input also the name. */
  readonly operator: string
  /** Where the program made it, as `file:line`; an index has that of its first reader; empty if unknown. */
  readonly origin: string
  /** The input whose rows these are, if it is one's. */
  readonly input: string | null
  /** The outputs that are read from here. */
  readonly outputs: readonly string[]
}

/** How far an operator is. */
export interface OperatorProgress {
  readonly id: number
  readonly operator: string
  readonly origin: string
  /** No later change has a time below this, in microseconds since 1970. Inside a loop: only what lies outside it counts. */
  readonly frontier: number
  /** The least time at which it may send on its own account, of what it has not answered yet; null if none. */
  readonly held: number | null
  /** Batches that wait in its inputs. */
  readonly queued: number
}

/** Bytes. */
export interface AppMemory {
  /** Texts and other interned values, of all apps beside each other: each of them tells the same number. */
  readonly dictionary: number
  /** Tables of keys, which operators share. Those of another app count there. */
  readonly keyTables: number
  /** The sum over `state()`. */
  readonly state: number
  readonly total: number
}

/** Which inputs and outputs operators belong to. */
export interface StateLabels {
  readonly inputs: Map<Schedulable, string>
  readonly outputs: Map<Schedulable, string[]>
}

export function stateOf({ dataflow }: EnginePart, labels: StateLabels): OperatorState[] {
  return dataflow.operators.flatMap((operator) => {
    const stats = operator.stateStats()
    if (stats === null) return []
    const { id, name, origin } = operator
    const source = operator instanceof ArrangeOperator ? operator.input.operator : operator
    const input = labels.inputs.get(source) ?? null
    return [{ id, operator: name, origin: origin ?? '', input, outputs: labels.outputs.get(operator) ?? [], ...stats }]
  })
}

export function memoryOf({ dataflow }: EnginePart): AppMemory {
  const dictionary = dataflow.dictionary.bytes
  const keyTables = dataflow.keyTables.reduce((sum, { bytes }) => sum + bytes, 0)
  const state = dataflow.operators.reduce((sum, operator) => sum + (operator.stateStats()?.bytes ?? 0), 0)
  return { dictionary, keyTables, state, total: dictionary + keyTables + state }
}

export function progressOf({ dataflow }: EnginePart): OperatorProgress[] {
  return dataflow.operators.map((operator) => {
    const held = operator.heldTime()
    return {
      id: operator.id,
      operator: operator.name,
      origin: operator.origin ?? '',
      frontier: operator.frontier,
      held: held === Number.POSITIVE_INFINITY ? null : held,
      queued: operator.inputs.reduce((sum, port) => sum + port.length, 0),
    }
  })
}
