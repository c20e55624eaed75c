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
import type { KeyTable } from '../runtime/trace/key-table.ts'
import type { TotalTrace } from '../runtime/trace/total-trace.ts'
import type { Arrangement } from './arrangement.ts'
import {
  type BatchKernel,
  batchKernel,
  type HeadKernel,
  headKernel,
  type JoinColumn,
  type JoinLayout,
  type JoinProgress,
  joinError,
} from './join-kernel.ts'

/** Output rows a chunk at most, unless one row alone has more matches. */
const CHUNK_ROWS = 1 << 14
const SMALLEST_CHUNK_ROWS = 256

/** One product still to be made for the time at hand. Reused from time to time. */
interface Task {
  left: boolean
  delta: Batch | null
  /** null: the head of the other side; else a batch that the head held too early, from this row of the delta on. */
  minus: Batch | null
  from: number
}

export class JoinOperator extends Operator {
  private readonly left: Arrangement
  private readonly right: Arrangement
  private readonly leftPort: Port
  private readonly rightPort: Port
  private readonly pool: BatchPool
  private readonly layout: JoinLayout
  private readonly progress: JoinProgress = { row: 0, need: 0 }
  private readonly tasks: Task[] = []
  private taskCount = 0
  private task = 0
  private time = -1
  private busy = false
  private deltaLeft: Batch | null = null
  private deltaRight: Batch | null = null
  private chunk = CHUNK_ROWS
  /** Times up to which the other side's head was known to stand when the head task last ran. */
  private seen = -1
  /** The key ids' words are in a table of the key table from the moment on that it gives up dense ids. */
  private hashed = false
  private leftHead: HeadKernel
  private rightHead: HeadKernel
  private leftBatch: BatchKernel
  private rightBatch: BatchKernel
  private heads = new Int32Array(0)
  private next = new Int32Array(0)

  constructor(left: Arrangement, right: Arrangement, schema: Schema, columns: readonly JoinColumn[]) {
    super(left.dataflow, 'join')
    invariant(left.keys === right.keys, 'joined arrangements share a key table')
    this.left = left
    this.right = right
    this.leftPort = this.listen(left)
    this.rightPort = this.listen(right)
    this.pool = new BatchPool(schema.widths)
    const side = (arrangement: Arrangement) => {
      const rows = arrangement.trace.rows
      return rows === null ? null : { stride: rows.stride, offset: rows.offset }
    }
    this.layout = { columns, left: side(left), right: side(right), key: null }
    this.leftHead = headKernel(this.layout, 'left')
    this.rightHead = headKernel(this.layout, 'right')
    this.leftBatch = batchKernel(this.layout, 'left')
    this.rightBatch = batchKernel(this.layout, 'right')
  }

  step(): void {
    for (;;) {
      if (!this.busy && !this.begin()) return
      while (this.task < this.taskCount) {
        if (this.tried(this.tasks[this.task])) {
          this.task++
          this.enterTask()
        } else {
          this.yield()
          return
        }
      }
      this.finish()
    }
  }

  private tried(task: Task): boolean {
    try {
      return this.runTask(task)
    } catch (error) {
      throw joinError(error)
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
    this.taskCount = 0
    const rows = (this.deltaLeft === null ? 0 : this.deltaLeft.n) + (this.deltaRight === null ? 0 : this.deltaRight.n)
    this.chunk = Math.min(CHUNK_ROWS, Math.max(SMALLEST_CHUNK_ROWS, 4 * rows))
    if (this.deltaRight !== null) this.addTask(false, this.deltaRight, null, 0)
    if (this.deltaLeft !== null) this.addTask(true, this.deltaLeft, null, 0)
    this.enterTask()
    return true
  }

  private addTask(left: boolean, delta: Batch, minus: Batch | null, from: number): void {
    let task = this.tasks[this.taskCount]
    if (task === undefined) {
      task = { left, delta, minus, from }
      this.tasks.push(task)
    }
    this.taskCount++
    task.left = left
    task.delta = delta
    task.minus = minus
    task.from = from
  }

  private enterTask(): void {
    const { progress } = this
    progress.need = 0
    progress.row = 0
    this.seen = -1
    if (this.task === this.taskCount) return
    const task = this.tasks[this.task]
    progress.row = task.from
    if (task.minus !== null) this.chain(task.minus)
  }

  private finish(): void {
    if (this.deltaLeft !== null) this.deltaLeft.release()
    if (this.deltaRight !== null) this.deltaRight.release()
    this.deltaLeft = this.deltaRight = null
    for (let i = 0; i < this.taskCount; i++) this.tasks[i].delta = this.tasks[i].minus = null
    this.busy = false
  }

  /** One chunk of a task; true when the task is done. */
  private runTask(task: Task): boolean {
    const { progress } = this
    const delta = task.delta as Batch
    const { minus } = task
    const own = task.left ? this.left : this.right
    const other = task.left ? this.right : this.left
    if (minus === null) this.prepareHead(task, delta, other.trace)
    if (!own.keys.dense && !this.hashed) this.useHashedKeys(own.keys)
    const out = this.pool.take(this.time, Math.max(this.chunk, progress.need))
    progress.need = 0
    const ownArena = own.trace.rows === null ? NO_WORDS : own.trace.rows.arena
    const otherArena = other.trace.rows === null ? NO_WORDS : other.trace.rows.arena
    const keyArena = own.keys.words === null ? NO_WORDS : own.keys.words.arena
    const keys = delta.columns[0]
    const values = delta.columns[1]
    if (minus === null) {
      const run = task.left ? this.leftHead : this.rightHead
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
      const run = task.left ? this.leftBatch : this.rightBatch
      out.n = run(
        progress,
        keys,
        values,
        delta.differences,
        delta.n,
        minus.columns[0],
        minus.columns[1],
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
    return progress.row >= delta.n
  }

  /** Brings the other head where the task needs it, and notes which waiting batches it holds too early. */
  private prepareHead(task: Task, delta: Batch, trace: TotalTrace): void {
    const { left } = task
    trace.ensure(left ? this.time - 1 : this.time)
    trace.touch(delta.columns[0], delta.n)
    const { applied } = trace
    if (applied <= this.seen) return
    const port = left ? this.rightPort : this.leftPort
    if (left && this.deltaRight !== null) this.subtractIfApplied(task, delta, this.deltaRight, applied)
    for (let i = 0; i < port.length; i++) this.subtractIfApplied(task, delta, port.at(i) as Batch, applied)
    this.seen = applied
  }

  private subtractIfApplied(task: Task, delta: Batch, batch: Batch, applied: number): void {
    if (batch.time > this.seen && batch.time <= applied) this.addTask(task.left, delta, batch, this.progress.row)
  }

  private useHashedKeys(keys: KeyTable): void {
    const words = keys.words
    if (words === null) return
    this.hashed = true
    const layout = { ...this.layout, key: { stride: words.stride, offset: words.offset } }
    this.leftHead = headKernel(layout, 'left')
    this.rightHead = headKernel(layout, 'right')
    this.leftBatch = batchKernel(layout, 'left')
    this.rightBatch = batchKernel(layout, 'right')
  }

  /** Chains the rows of a batch by key. */
  private chain(batch: Batch): void {
    const size = powerOfTwo(batch.n)
    this.heads = new Int32Array(size)
    this.next = new Int32Array(size)
    const { heads, next } = this
    const keys = batch.columns[0]
    for (let i = 0; i < batch.n; i++) {
      const key = keys[i]
      const hash = (key ^ (key >>> 12)) & (size - 1)
      next[i] = heads[hash]
      heads[hash] = i + 1
    }
  }
}

const NO_WORDS = new Int32Array(0)
