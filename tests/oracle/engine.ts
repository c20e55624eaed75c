/** Runs a plan on one worker, without the public API: changes in, accumulated rows and errors out. */

import { Builder } from '../../operators/builder.ts'
import { checkDeterminism } from '../../operators/determinism.ts'
import { InputOperator } from '../../operators/input.ts'
import { OutputOperator } from '../../operators/output.ts'
import type { PlanNode } from '../../operators/plan.ts'
import { Dictionary } from '../../runtime/data/dictionary.ts'
import { type Columns, Schema } from '../../runtime/data/schema.ts'
import { Dataflow } from '../../runtime/graph/dataflow.ts'
import { streamOf } from '../../runtime/graph/stream.ts'
import { Timeline } from '../../runtime/time/timeline.ts'
import { add, type Change, type Multiset, type Row } from './multiset.ts'

export interface InputPlan {
  readonly node: PlanNode
  operator(): InputOperator
}

/** An input as a plan node. */
export function inputNode(name: string, columns: Columns, timeline: Timeline, appendOnly = false): InputPlan {
  const schema = new Schema(columns)
  let operator: InputOperator | null = null
  const node: PlanNode = {
    kind: 'input',
    inputs: [],
    schema,
    parameters: { name },
    origin: '',
    depth: 0,
    appendOnly,
    build: (builder) => {
      operator = new InputOperator(builder.dataflow, name, schema, timeline)
      return { rows: streamOf(operator, schema), errors: new Set() }
    },
  }
  return {
    node,
    operator: () => {
      if (operator === null) throw new Error(`the plan does not use the input ${name}`)
      return operator
    },
  }
}

export interface EngineOptions {
  readonly appendOnly?: boolean
  readonly checkDeterminism?: boolean
}

export class Engine {
  readonly dictionary = new Dictionary()
  readonly dataflow: Dataflow
  readonly builder: Builder
  /** What all changes so far add up to, an output each. */
  readonly outputs: Multiset[] = []
  readonly errors: Multiset = new Map()
  /** Changes of the last commit, an output each. */
  readonly last: Change[][] = []
  time = 0
  private readonly inputs: InputPlan[]
  private clock = 0

  constructor(columns: readonly Columns[], plan: (...inputs: PlanNode[]) => PlanNode | readonly PlanNode[], options: EngineOptions = {}) {
    this.dataflow = new Dataflow('test', this.dictionary)
    checkDeterminism(this.dataflow, options.checkDeterminism ?? true)
    const timeline = new Timeline(() => this.clock, 0)
    this.timeline = timeline
    this.inputs = columns.map((one, i) => inputNode(`input${i}`, one, timeline, options.appendOnly))
    const made = plan(...this.inputs.map((input) => input.node))
    const nodes = (Array.isArray(made) ? made : [made]) as PlanNode[]
    const inputNodes = this.inputs.map((input) => input.node)
    this.builder = new Builder(this.dataflow, [...inputNodes, ...nodes])
    for (const node of inputNodes) this.builder.of(node)
    const errors = new Set<import('../../runtime/graph/stream.ts').Stream>()
    nodes.forEach((node, i) => {
      const built = this.builder.of(node)
      const sum: Multiset = new Map()
      this.outputs.push(sum)
      this.last.push([])
      for (const stream of built.errors) errors.add(stream)
      new OutputOperator(built.rows, `output${i}`).subscribe(({ time, changes }) => {
        for (const { row, diff } of changes) add(sum, row as Row, diff)
        this.times.push(time)
        this.last[i] = [...(this.last[i] as Change[]), ...(changes as Change[])]
      })
    })
    for (const stream of errors) {
      new OutputOperator(stream, 'errors').subscribe(({ changes }) => {
        for (const { row, diff } of changes) add(this.errors, row as Row, diff)
      })
    }
  }

  readonly timeline: Timeline
  /** The times at which outputs changed, in the order of their arrival. */
  readonly times: number[] = []

  change(input: number, row: Row, diff: number): void {
    ;(this.inputs[input] as InputPlan).operator().changeRows([row], diff)
  }

  changeAll(input: number, rows: readonly Row[], diff: number): void {
    ;(this.inputs[input] as InputPlan).operator().changeRows(rows, diff)
  }

  /** Ends a time; at `at` if given (beyond all before). */
  commit(at = this.clock + 1): number {
    this.clock = at
    this.last.forEach((_, i) => {
      this.last[i] = []
    })
    const time = this.timeline.close()
    for (const input of this.inputs) input.operator().seal(time)
    this.dataflow.run()
    this.time = time
    return time
  }

  output(i = 0): Multiset {
    return this.outputs[i] as Multiset
  }
}
