/**
 * join: pairs of rows of two arrangements with equal keys, with the product of their multiplicities.
 *
 * Computes, for each time t:  dB x A(up to t)  +  dA x B(before t).
 * State: none of its own; the two arrangements.
 * Times: total order. A time is worked on when both inputs are complete before it; batches at later times wait in the ports. Where a
 * head already holds a batch that still waits here, the pairs with that batch are subtracted: they come again when it is its turn.
 * Cost: a record lookup per changed row, a write per match. Yields after a chunk of output, so that what is downstream
 * runs before it resumes.
 * Source: differential dataflow's join (CIDR 2013); heads instead of batch cursors.
 *
 * @example
 *   join(arrange(frauds, ['accountId']), arrange(accounts, ['accountId']), columns)   // one row a matching pair
 */
import { type Batch, BatchPool, powerOfTwo } from '../runtime/data/batch.ts'
import type { Schema } from '../runtime/data/schema.ts'
import { invariant } from '../runtime/error.ts'
import { Operator, type Port } from '../runtime/graph/operator.ts'
import type { ArrangeOperator } from './arrange.ts'
import {
  type BatchKernel,
  batchKernel,
  emptyArena,
  type HeadKernel,
  headKernel,
  type JoinColumn,
  type JoinLayout,
  type JoinProgress,
} from './join-kernel.ts'

/** Output rows a chunk at most, unless one row alone has more matches. */
const CHUNK_ROWS = 1 << 14
const SMALLEST_CHUNK_ROWS = 256

/** One product still to be made for the time at hand. */
interface Task {
  readonly side: 'left' | 'right'
  readonly delta: Batch
  /** null: the head of the other side; else a batch that the head held too early, from this row of the delta on. */
  readonly minus: Batch | null
  readonly from: number
}

export class JoinOperator extends Operator {
  private readonly left: ArrangeOperator
  private readonly right: ArrangeOperator
  private readonly leftPort: Port
  private readonly rightPort: Port
  private readonly pool: BatchPool
  private readonly leftHead: HeadKernel
  private readonly rightHead: HeadKernel
  private readonly layout: JoinLayout
  private readonly progress: JoinProgress = { row: 0, need: 0 }
  private readonly tasks: Task[] = []
  private task = 0
  private time = -1
  private busy = false
  private deltaLeft: Batch | null = null
  private deltaRight: Batch | null = null
  private chunk = CHUNK_ROWS
  /** Times up to which the other side's head was known to stand when the head task last ran. */
  private seen = -1
  private heads = new Int32Array(0)
  private next = new Int32Array(0)

  constructor(left: ArrangeOperator, right: ArrangeOperator, schema: Schema, columns: readonly JoinColumn[]) {
    super(left.dataflow, 'join')
    invariant(left.keys === right.keys, 'joined arrangements share a key table')
    this.left = left
    this.right = right
    this.leftPort = this.listen(left)
    this.rightPort = this.listen(right)
    this.pool = new BatchPool(schema.widths)
    const side = (arrangement: ArrangeOperator) => {
      const rows = arrangement.trace.rows
      return rows === null ? null : { stride: rows.stride, offset: rows.offset }
    }
    this.layout = { columns, left: side(left), right: side(right), key: null }
    this.leftHead = headKernel(this.layout, 'left')
    this.rightHead = headKernel(this.layout, 'right')
  }

  step(): void {
    for (;;) {
      if (!this.busy && !this.begin()) return
      while (this.task < this.tasks.length) {
        this.runTask(this.tasks[this.task] as Task)
        if (this.busy && this.task < this.tasks.length) {
          this.yield()
          return
        }
      }
      this.finish()
    }
  }

  /** Takes up the least time at which both inputs can be worked on; false when there is none. */
  private begin(): boolean {
    const frontier = this.inputFrontier()
    const a = this.leftPort.peek()
    const b = this.rightPort.peek()
    const time = Math.min(a === null ? Number.POSITIVE_INFINITY : a.time, b === null ? Number.POSITIVE_INFINITY : b.time)
    if (time >= frontier) {
      this.advance(frontier)
      return false
    }
    this.advance(time)
    this.deltaLeft = a !== null && a.time === time ? this.leftPort.pop() : null
    this.deltaRight = b !== null && b.time === time ? this.rightPort.pop() : null
    this.time = time
    this.busy = true
    this.task = 0
    this.tasks.length = 0
    const rows = (this.deltaLeft?.n ?? 0) + (this.deltaRight?.n ?? 0)
    this.chunk = Math.min(CHUNK_ROWS, Math.max(SMALLEST_CHUNK_ROWS, 4 * rows))
    if (this.deltaRight !== null) this.tasks.push({ side: 'right', delta: this.deltaRight, minus: null, from: 0 })
    if (this.deltaLeft !== null) this.tasks.push({ side: 'left', delta: this.deltaLeft, minus: null, from: 0 })
    this.enter()
    return true
  }

  private enter(): void {
    const task = this.tasks[this.task]
    this.progress.need = 0
    this.progress.row = task === undefined ? 0 : task.from
    this.seen = -1
    if (task !== undefined && task.minus !== null) this.chain(task.minus)
  }

  private finish(): void {
    this.deltaLeft?.release()
    this.deltaRight?.release()
    this.deltaLeft = this.deltaRight = null
    this.busy = false
  }

  /** One chunk of a task; moves to the next task when this one is done. */
  private runTask(task: Task): void {
    const { delta, progress } = task.minus === null ? this.prepareHead(task) : { delta: task.delta, progress: this.progress }
    const out = this.pool.take(this.time, Math.max(this.chunk, progress.need))
    progress.need = 0
    const own = task.side === 'left' ? this.left : this.right
    const other = task.side === 'left' ? this.right : this.left
    const ownArena = own.trace.rows?.arena ?? emptyArena()
    const otherArena = other.trace.rows?.arena ?? emptyArena()
    const layout = this.currentLayout()
    const keyArena = own.keys.words?.arena ?? emptyArena()
    const keys = delta.columns[0] as Int32Array
    const values = delta.columns[1] as Int32Array
    if (task.minus === null) {
      const run = layout === this.layout ? (task.side === 'left' ? this.leftHead : this.rightHead) : headKernel(layout, task.side)
      const { records, pool } = other.trace.segments
      out.n = run(
        progress,
        keys,
        values,
        delta.differences,
        delta.n,
        records,
        pool,
        ownArena,
        otherArena,
        keyArena,
        out.capacity,
        out.columns,
        out.differences,
      )
    } else {
      const run: BatchKernel = batchKernel(layout, task.side)
      const minus = task.minus
      out.n = run(
        progress,
        keys,
        values,
        delta.differences,
        delta.n,
        minus.columns[0] as Int32Array,
        minus.columns[1] as Int32Array,
        minus.differences,
        this.heads,
        this.next,
        this.heads.length - 1,
        ownArena,
        otherArena,
        keyArena,
        out.capacity,
        out.columns,
        out.differences,
      )
    }
    this.send(out)
    if (progress.row >= delta.n) {
      this.task++
      this.enter()
    }
  }

  /** Brings the heads where the task needs them, and notes which waiting batches they hold too early. */
  private prepareHead(task: Task): { delta: Batch; progress: JoinProgress } {
    const left = task.side === 'left'
    const other = left ? this.right : this.left
    const port = left ? this.rightPort : this.leftPort
    if (left) other.trace.ensure(this.time - 1)
    else other.trace.ensure(this.time)
    other.trace.touch(task.delta.columns[0], task.delta.n)
    const applied = other.trace.applied
    if (applied > this.seen) {
      const tooEarly = (batch: Batch | null) => {
        if (batch === null || batch.time <= this.seen || batch.time > applied) return
        this.tasks.push({ side: task.side, delta: task.delta, minus: batch, from: this.progress.row })
      }
      if (left) tooEarly(this.deltaRight)
      for (let i = 0; i < port.length; i++) tooEarly(port.at(i))
      this.seen = applied
    }
    return { delta: task.delta, progress: this.progress }
  }

  private currentLayout(): JoinLayout {
    const keys = this.left.keys
    const words = keys.words
    if (keys.dense || words === null) return this.layout
    return { ...this.layout, key: { stride: words.stride, offset: words.offset } }
  }

  /** Chains the rows of a batch by key. */
  private chain(batch: Batch): void {
    const size = powerOfTwo(batch.n)
    this.heads = new Int32Array(size)
    this.next = new Int32Array(size)
    const { heads, next } = this
    const keys = batch.columns[0] as Int32Array
    for (let i = 0; i < batch.n; i++) {
      const key = keys[i] as number
      const hash = (key ^ (key >>> 12)) & (size - 1)
      next[i] = heads[hash] as number
      heads[hash] = i + 1
    }
  }
}
