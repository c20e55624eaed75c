/**
 * The inner loops of the join inside a loop: differences of one side against the segments of the other, or against rows that those
 * hold too early. Each output row has the least time at or beyond the times of its pair.
 *
 * Generated per layout, with the same loops over a table of word sources where code cannot be generated.
 */
import { canGenerate, kernel } from '../runtime/data/kernel.ts'
import type { TimeTable } from '../runtime/time/time-table.ts'
import { GENERAL_CLASS_SHIFT, GENERAL_LENGTH_MASK } from '../runtime/trace/general-segments.ts'
import { generate, type JoinLayout, type JoinProgress, OVERFLOW, product, writer } from './join-kernel.ts'

/** Rows of one side: key ids, value ids, differences, and a time each (`times`) or one for all (`time`). */
export interface TimedRows {
  keys: Int32Array
  values: Int32Array
  times: Int32Array | null
  time: number
  differences: Int32Array
  n: number
}

/** Rows chained by key: `heads[hash]` and `next[row]` are row numbers + 1. */
export interface ChainedRows extends TimedRows {
  heads: Int32Array
  next: Int32Array
}

export interface Arenas {
  delta: Int32Array
  other: Int32Array
  key: Int32Array
}

export interface JoinOutput {
  columns: readonly Int32Array[]
  times: Int32Array
  differences: Int32Array
  /** Rows in use. */
  n: number
  capacity: number
}

/** Writes matches from `progress.row` of the delta on, until it ends or the output is full (then `progress.need` is set if nothing fit). */
export type GeneralKernel<Other> = (
  progress: JoinProgress,
  delta: TimedRows,
  other: Other,
  arenas: Arenas,
  out: JoinOutput,
  times: TimeTable,
) => void

/** The segments of the other side. */
export interface SegmentArrays {
  records: Int32Array
  pool: Int32Array
}

const HEAD = `const K=delta.keys,V=delta.values,T=delta.times,D=delta.differences,n=delta.n,time=delta.time
const deltaArena=arenas.delta,headArena=arenas.other,keyArena=arenas.key,capacity=result.capacity,ot=result.times,od=result.differences,out=result.columns
let i=progress.row,m=result.n,lt=0,lu=0,lj=0`
const TAIL = `progress.row=i
result.n=m
${OVERFLOW}`
const PARAMETERS = 'progress,delta,other,arenas,result,times'

export function segmentKernel(layout: JoinLayout, delta: 'left' | 'right'): GeneralKernel<SegmentArrays> {
  if (!canGenerate()) return interpretedSegments(layout, delta)
  return kernel(`general-join:${delta}:${JSON.stringify(layout)}`, PARAMETERS, () => {
    const code = generate(layout, delta)
    return body(
      code.outputs,
      `const records=other.records,pool=other.pool
for(;i<n;i++){
  const k=K[i],meta=records[k<<2],length=meta&${GENERAL_LENGTH_MASK}
  if(length===0)continue
  if(m+length>capacity){if(m===0)progress.need=length;break}
  const v=V[i],d=D[i],t=T===null?time:T[i];${code.hoisted}
  const inline=meta>>>${GENERAL_CLASS_SHIFT}===0,A=inline?records:pool
  let p=inline?(k<<2)+1:records[(k<<2)+1]
  for(const e=p+3*length;p<e;p+=3){
    const w=A[p],u=A[p+1],x=d*A[p+2]
    if(u!==lu||t!==lt){lu=u;lt=t;lj=times.join(t,u)}
    ${code.inner};ot[m]=lj;if(x!==(x|0))overflow();od[m]=x;m++
  }
}`,
    )
  })
}

/** Subtracts. */
export function chainKernel(layout: JoinLayout, delta: 'left' | 'right'): GeneralKernel<ChainedRows> {
  if (!canGenerate()) return interpretedChain(layout, delta)
  return kernel(`general-join-chain:${delta}:${JSON.stringify(layout)}`, PARAMETERS, () => {
    const code = generate(layout, delta)
    return body(
      code.outputs,
      `const OK=other.keys,OV=other.values,OT=other.times,OD=other.differences,heads=other.heads,next=other.next,mask=heads.length-1
for(;i<n;i++){
  const k=K[i];let j=heads[(k^k>>>12)&mask]
  if(j===0)continue
  let length=0;for(let q=j;q!==0;q=next[q-1])if(OK[q-1]===k)length++
  if(length===0)continue
  if(m+length>capacity){if(m===0)progress.need=length;break}
  const v=V[i],d=-D[i],t=T===null?time:T[i];${code.hoisted}
  for(;j!==0;j=next[j-1]){
    if(OK[j-1]!==k)continue
    const w=OV[j-1],u=OT[j-1],x=d*OD[j-1]
    if(u!==lu||t!==lt){lu=u;lt=t;lj=times.join(t,u)}
    ${code.inner};ot[m]=lj;if(x!==(x|0))overflow();od[m]=x;m++
  }
}`,
    )
  })
}

function body(outputs: string, loop: string): string {
  return `${HEAD};${outputs}\n${loop}\n${TAIL}`
}

function interpretedSegments(layout: JoinLayout, delta: 'left' | 'right'): GeneralKernel<SegmentArrays> {
  const write = writer(layout, delta)
  return (progress, rows, other, arenas, out, times) => {
    let i = progress.row
    for (; i < rows.n; i++) {
      const k = rows.keys[i]
      const meta = other.records[k << 2]
      const length = meta & GENERAL_LENGTH_MASK
      if (length === 0) continue
      if (out.n + length > out.capacity) {
        if (out.n === 0) progress.need = length
        break
      }
      const inline = meta >>> GENERAL_CLASS_SHIFT === 0
      const array = inline ? other.records : other.pool
      let p = inline ? (k << 2) + 1 : other.records[(k << 2) + 1]
      for (const end = p + 3 * length; p < end; p += 3) {
        write(out.columns, out.n, k, rows.values[i], array[p], arenas.delta, arenas.other, arenas.key)
        out.times[out.n] = times.join(rows.times === null ? rows.time : rows.times[i], array[p + 1])
        out.differences[out.n++] = product(rows.differences[i], array[p + 2])
      }
    }
    progress.row = i
  }
}

function interpretedChain(layout: JoinLayout, delta: 'left' | 'right'): GeneralKernel<ChainedRows> {
  const write = writer(layout, delta)
  return (progress, rows, other, arenas, out, times) => {
    const otherTimes = other.times as Int32Array
    let i = progress.row
    for (; i < rows.n; i++) {
      const k = rows.keys[i]
      const matches: number[] = []
      for (let j = other.heads[(k ^ (k >>> 12)) & (other.heads.length - 1)]; j !== 0; j = other.next[j - 1])
        if (other.keys[j - 1] === k) matches.push(j - 1)
      if (out.n + matches.length > out.capacity) {
        if (out.n === 0) progress.need = matches.length
        break
      }
      for (const j of matches) {
        write(out.columns, out.n, k, rows.values[i], other.values[j], arenas.delta, arenas.other, arenas.key)
        out.times[out.n] = times.join(rows.times === null ? rows.time : rows.times[i], otherTimes[j])
        out.differences[out.n++] = -product(rows.differences[i], other.differences[j])
      }
    }
    progress.row = i
  }
}
