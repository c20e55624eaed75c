/**
 * The inner loops of the join, generated per layout: differences of one side against the head, or against a batch, of the other.
 *
 * Each output column comes from the left value, the right value or the key. Where code cannot be generated, the same
 * loops run over a table of word sources.
 */
import { canGenerate, kernel } from '../runtime/data/kernel.ts'
import { MillraceError } from '../runtime/error.ts'
import { CLASS_SHIFT, HASHED_CLASS, LENGTH_MASK } from '../runtime/trace/segments.ts'

/** Where one output column comes from. */
export interface JoinColumn {
  readonly side: 'left' | 'right' | 'key'
  /**
   * Where each word of the column is within the value or key; ignored for a value that is its own id. Not always neighbours: a
   * nullable int32 lies in a key of nullable int64 as the low word and the null flag.
   */
  readonly words: readonly number[]
}

/** How values of a side are stored: as the id itself, or as words of a row store. */
export interface JoinSide {
  readonly stride: number
  readonly offset: number
}

export interface JoinLayout {
  readonly columns: readonly JoinColumn[]
  readonly left: JoinSide | null
  readonly right: JoinSide | null
  /** null: the key id is the key. */
  readonly key: JoinSide | null
}

/** Where a kernel is: the next row of the delta, and the room it lacked for that row's matches. */
export interface JoinProgress {
  row: number
  need: number
}

const EMPTY = new Int32Array(0)

/**
 * Rows of a delta (key ids, value ids, differences) against the head of the other side, from `progress.row` on
 * until the delta ends or `capacity` output rows are full. Returns the number of output rows.
 */
export type HeadKernel = (
  progress: JoinProgress,
  keys: Int32Array,
  values: Int32Array,
  differences: Int32Array,
  n: number,
  records: Int32Array,
  pool: Int32Array,
  deltaArena: Int32Array,
  headArena: Int32Array,
  keyArena: Int32Array,
  capacity: number,
  out: readonly Int32Array[],
  outDifferences: Int32Array,
) => number

/** The same against a batch of the other side, subtracted; the batch is chained by key: `heads[hash]`, `next[row]` (1-based). */
export type BatchKernel = (
  progress: JoinProgress,
  keys: Int32Array,
  values: Int32Array,
  differences: Int32Array,
  n: number,
  otherKeys: Int32Array,
  otherValues: Int32Array,
  otherDifferences: Int32Array,
  heads: Int32Array,
  next: Int32Array,
  mask: number,
  deltaArena: Int32Array,
  otherArena: Int32Array,
  keyArena: Int32Array,
  capacity: number,
  out: readonly Int32Array[],
  outDifferences: Int32Array,
) => number

const HEAD_PARAMETERS = 'progress,K,V,D,n,records,pool,deltaArena,headArena,keyArena,capacity,out,od'
const BATCH_PARAMETERS = 'progress,K,V,D,n,OK,OV,OD,heads,next,mask,deltaArena,headArena,keyArena,capacity,out,od'

/** In generated code, which cannot import: `joinError` makes of it what a user understands. */
export const OVERFLOW = "function overflow(){throw new RangeError('difference overflow')}"

function joinOverflow(): MillraceError {
  return new MillraceError(
    'OVERFLOW',
    'the multiplicity of a joined row left the range of int32',
    'Count the rows of a side with groupBy() first, and join the counts.',
  )
}

/** An error of a kernel, as a user sees it. */
export function joinError(error: unknown): unknown {
  return error instanceof RangeError && error.message === 'difference overflow' ? joinOverflow() : error
}

export function emptyArena(): Int32Array {
  return EMPTY
}

export function headKernel(layout: JoinLayout, delta: 'left' | 'right'): HeadKernel {
  if (!canGenerate()) return interpretedHead(layout, delta)
  return kernel(`join:${delta}:${JSON.stringify(layout)}`, HEAD_PARAMETERS, () => {
    const code = generate(layout, delta)
    return `${code.outputs}
let i=progress.row,m=0
for(;i<n;i++){
  const k=K[i],meta=records[k<<2]
  if(meta===0)continue
  const length=meta&${LENGTH_MASK},cls=meta>>>${CLASS_SHIFT}
  if(m+length>capacity){if(m===0)progress.need=length;break}
  const v=V[i],d=D[i];${code.hoisted}
  if(cls===0){for(let p=(k<<2)+1,e=p+length;p<e;p++){const w=records[p];${code.inner};od[m]=d;m++}continue}
  let p=records[(k<<2)+1];const e=p+(cls<${HASHED_CLASS}?2*length:2<<(cls-1))
  for(;p<e;p+=2){const td=pool[p+1];if(td===0)continue;const w=pool[p];${code.inner};const x=d*td;if(x!==(x|0))overflow();od[m]=x;m++}
}
progress.row=i
return m
${OVERFLOW}`
  })
}

export function batchKernel(layout: JoinLayout, delta: 'left' | 'right'): BatchKernel {
  if (!canGenerate()) return interpretedBatch(layout, delta)
  return kernel(`join-batch:${delta}:${JSON.stringify(layout)}`, BATCH_PARAMETERS, () => {
    const code = generate(layout, delta)
    return `${code.outputs}
let i=progress.row,m=0
for(;i<n;i++){
  const k=K[i];let j=heads[(k^k>>>12)&mask]
  if(j===0)continue
  let length=0;for(let q=j;q!==0;q=next[q-1])if(OK[q-1]===k)length++
  if(length===0)continue
  if(m+length>capacity){if(m===0)progress.need=length;break}
  const v=V[i],d=-D[i];${code.hoisted}
  for(;j!==0;j=next[j-1]){if(OK[j-1]!==k)continue;const w=OV[j-1];${code.inner};const x=d*OD[j-1];if(x!==(x|0))overflow();od[m]=x;m++}
}
progress.row=i
return m
${OVERFLOW}`
  })
}

/** Statements that read the delta row once, and statements per match. */
export function generate(layout: JoinLayout, delta: 'left' | 'right'): { outputs: string; hoisted: string; inner: string } {
  const deltaSide = delta === 'left' ? layout.left : layout.right
  const headSide = delta === 'left' ? layout.right : layout.left
  const hoisted: string[] = []
  const inner: string[] = []
  const columns = layout.columns
  if (deltaSide !== null) hoisted.push(`const dp=v*${deltaSide.stride}+${deltaSide.offset}`)
  if (layout.key !== null) hoisted.push(`const kp=k*${layout.key.stride}+${layout.key.offset}`)
  if (headSide !== null && columns.some((c) => c.side !== 'key' && c.side !== delta))
    inner.push(`const wp=w*${headSide.stride}+${headSide.offset}`)
  columns.forEach((column, c) => {
    const width = column.words.length
    for (let j = 0; j < width; j++) {
      const target = width === 1 ? `o${c}[m]` : `o${c}[${width}*m+${j}]`
      const word = column.words[j]
      let source: string
      if (column.side === 'key') source = layout.key !== null ? `keyArena[kp+${word}]` : word === 0 ? 'k' : '(k>>31)'
      else if (column.side === delta) source = deltaSide === null ? 'v' : `deltaArena[dp+${word}]`
      else source = headSide === null ? 'w' : `headArena[wp+${word}]`
      if (source.includes('wp+') || source === 'w' || source === 'k') inner.push(`${target}=${source}`)
      else {
        hoisted.push(`const x${c}_${j}=${source}`)
        inner.push(`${target}=x${c}_${j}`)
      }
    }
  })
  return { outputs: columns.map((_, c) => `const o${c}=out[${c}]`).join(';'), hoisted: hoisted.join(';'), inner: inner.join(';') }
}

/** Writes one output row from the table of columns. */
export function writer(layout: JoinLayout, delta: 'left' | 'right') {
  const deltaSide = delta === 'left' ? layout.left : layout.right
  const headSide = delta === 'left' ? layout.right : layout.left
  const wordOf = (side: JoinSide | null, arena: Int32Array, id: number, word: number): number =>
    side === null ? id : (arena[id * side.stride + side.offset + word] as number)
  return (
    out: readonly Int32Array[],
    m: number,
    k: number,
    v: number,
    w: number,
    deltaArena: Int32Array,
    headArena: Int32Array,
    keyArena: Int32Array,
  ): void => {
    layout.columns.forEach((column, c) => {
      const width = column.words.length
      for (let j = 0; j < width; j++) {
        const word = column.words[j]
        let value: number
        if (column.side === 'key') value = layout.key === null && word > 0 ? k >> 31 : wordOf(layout.key, keyArena, k, word)
        else if (column.side === delta) value = wordOf(deltaSide, deltaArena, v, word)
        else value = wordOf(headSide, headArena, w, word)
        ;(out[c] as Int32Array)[width * m + j] = value
      }
    })
  }
}

function interpretedHead(layout: JoinLayout, delta: 'left' | 'right'): HeadKernel {
  const write = writer(layout, delta)
  return (progress, keys, values, differences, n, records, pool, deltaArena, headArena, keyArena, capacity, out, outDifferences) => {
    let m = 0
    let i = progress.row
    for (; i < n; i++) {
      const k = keys[i] as number
      const meta = records[k << 2] as number
      if (meta === 0) continue
      const length = meta & LENGTH_MASK
      const sizeClass = meta >>> CLASS_SHIFT
      if (m + length > capacity) {
        if (m === 0) progress.need = length
        break
      }
      const inline = sizeClass === 0
      let p = inline ? (k << 2) + 1 : (records[(k << 2) + 1] as number)
      const end = inline ? p + length : p + (sizeClass < HASHED_CLASS ? 2 * length : 2 << (sizeClass - 1))
      for (; p < end; p += inline ? 1 : 2) {
        const there = inline ? 1 : (pool[p + 1] as number)
        if (there === 0) continue
        write(out, m, k, values[i] as number, (inline ? records[p] : pool[p]) as number, deltaArena, headArena, keyArena)
        outDifferences[m++] = product(differences[i] as number, there)
      }
    }
    progress.row = i
    return m
  }
}

function interpretedBatch(layout: JoinLayout, delta: 'left' | 'right'): BatchKernel {
  const write = writer(layout, delta)
  return (
    progress,
    keys,
    values,
    differences,
    n,
    otherKeys,
    otherValues,
    otherDifferences,
    heads,
    next,
    mask,
    deltaArena,
    otherArena,
    keyArena,
    capacity,
    out,
    outDifferences,
  ) => {
    let m = 0
    let i = progress.row
    for (; i < n; i++) {
      const k = keys[i] as number
      const matches: number[] = []
      for (let j = heads[(k ^ (k >>> 12)) & mask] as number; j !== 0; j = next[j - 1] as number)
        if (otherKeys[j - 1] === k) matches.push(j - 1)
      if (m + matches.length > capacity) {
        if (m === 0) progress.need = matches.length
        break
      }
      for (const j of matches) {
        write(out, m, k, values[i] as number, otherValues[j] as number, deltaArena, otherArena, keyArena)
        outDifferences[m++] = -product(differences[i] as number, otherDifferences[j] as number)
      }
    }
    progress.row = i
    return m
  }
}

export function product(a: number, b: number): number {
  const x = a * b
  if (x !== (x | 0)) throw joinOverflow()
  return x
}
