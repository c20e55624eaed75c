/** The loops of consolidation for one layout of columns: generated, or interpreted. */
import { canGenerate, kernel } from './kernel.ts'

type Columns = readonly Int32Array[]
type Times = Int32Array | null

export interface ConsolidateKernels {
  /** Moves each first of equal rows to the front with the sum; returns how many, or -1 when a sum leaves int32. */
  compare(columns: Columns, times: Times, differences: Int32Array, n: number): number
  /**
   * As compare, by a table of positions + 1 whose slots 0 .. mask are 0 at first; for rows `from` to `to` when the rows before them
   * have become `m`.
   */
  hash(
    columns: Columns,
    times: Times,
    differences: Int32Array,
    from: number,
    to: number,
    m: number,
    table: Int32Array,
    mask: number,
  ): number
  /** Moves the rows of nonzero difference from `from` to `to` to `m`, `m` + 1, ..; returns how many there are then, with those before. */
  dropZeros(columns: Columns, times: Times, differences: Int32Array, from: number, to: number, m: number): number
}

/** Kernels for columns of these widths, and with a time a row if `timed`. */
export function consolidateKernels(widths: readonly number[], timed: boolean): ConsolidateKernels {
  if (!canGenerate()) return interpreted(widths, timed)
  return kernel<() => ConsolidateKernels>(`consolidate:${widths.join()}:${timed}`, 'none', () => source(widths, timed))()
}

/** Rows that are summed or dropped take the same way through `hash` and `dropZeros` as others: a load, during which they are compiled, may have none. */
function source(widths: readonly number[], timed: boolean): string {
  const hoist = `const ${[...widths.map((_, c) => `c${c}=columns[${c}]`), 'd=differences'].join()}`
  const at = (row: string) => [
    ...widths.flatMap((width, c) =>
      Array.from({ length: width }, (_, j) => (width === 1 ? `c${c}[${row}]` : `c${c}[${width}*${row}+${j}]`)),
    ),
    ...(timed ? [`times[${row}]`] : []),
  ]
  const names = at('i').map((_, j) => `w${j}`)
  const load = at('i')
    .map((word, j) => `const w${j}=${word};`)
    .join('')
  const equal = at('j')
    .map((word, j) => `${word}===w${j}`)
    .join('&&')
  const store = at('m')
    .map((word, j) => `${word}=w${j};`)
    .join('')
  const mixed = names.map((name, j) => (j === 0 ? `let h=${name};` : `h=Math.imul(h^(h>>>15),0x2c1b3c6d)^${name};`)).join('')
  const add = 'const x=d[j]+d[i];if((x|0)!==x)return -1;d[j]=x'
  return `return{
compare(columns,times,differences,n){
${hoist};let m=0
next:for(let i=0;i<n;i++){${load}
for(let j=0;j<m;j++)if(${equal || 'true'}){${add};continue next}
if(m!==i){${store}d[m]=d[i]}m++}
return m},
hash(columns,times,differences,from,to,m,table,mask){
${hoist}
for(let i=from;i<to;i++){${load}
${mixed || 'let h=0;'}h=Math.imul(h^(h>>>16),0x85ebca6b);h^=h>>>13
const y=d[i]
${store}d[m]=0
let q=h&mask,j=table[q]-1
while(j>=0&&!(${equal || 'true'})){q=(q+1)&mask;j=table[q]-1}
const fresh=j<0,k=fresh?m:j,x=d[k]+y
if((x|0)!==x)return -1
d[k]=x
table[q]=k+1
m+=fresh?1:0}
return m},
dropZeros(columns,times,differences,from,to,m){
${hoist}
for(let i=from;i<to;i++){${load}const x=d[i]
${store}d[m]=x
m+=x===0?0:1}
return m}}`
}

function interpreted(widths: readonly number[], timed: boolean): ConsolidateKernels {
  const total = widths.length + (timed ? 1 : 0)
  const widthOf = (k: number) => (k < widths.length ? (widths[k] as number) : 1)
  const planeOf = (columns: Columns, times: Times, k: number) => (k < widths.length ? columns[k] : times) as Int32Array

  function equal(columns: Columns, times: Times, a: number, b: number): boolean {
    for (let k = 0; k < total; k++) {
      const plane = planeOf(columns, times, k)
      const width = widthOf(k)
      for (let j = 0; j < width; j++) if (plane[a * width + j] !== plane[b * width + j]) return false
    }
    return true
  }

  function move(columns: Columns, times: Times, differences: Int32Array, from: number, to: number): void {
    if (from === to) return
    for (let k = 0; k < total; k++) {
      const width = widthOf(k)
      planeOf(columns, times, k).copyWithin(to * width, from * width, (from + 1) * width)
    }
    differences[to] = differences[from] as number
  }

  function hashAt(columns: Columns, times: Times, row: number): number {
    let h = 0
    for (let k = 0; k < total; k++) {
      const plane = planeOf(columns, times, k)
      const width = widthOf(k)
      for (let j = 0; j < width; j++) h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ (plane[row * width + j] as number)
    }
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    return h ^ (h >>> 13)
  }

  function hash(
    columns: Columns,
    times: Times,
    differences: Int32Array,
    from: number,
    to: number,
    before: number,
    table: Int32Array,
    mask: number,
  ): number {
    let m = before
    for (let i = from; i < to; i++) {
      let q = hashAt(columns, times, i) & mask
      while (table[q] !== 0 && !equal(columns, times, i, (table[q] as number) - 1)) q = (q + 1) & mask
      if (table[q] === 0) {
        move(columns, times, differences, i, m)
        table[q] = ++m
        continue
      }
      const j = (table[q] as number) - 1
      const sum = (differences[j] as number) + (differences[i] as number)
      if ((sum | 0) !== sum) return -1
      differences[j] = sum
    }
    return m
  }

  return {
    compare(columns, times, differences, n) {
      return hash(columns, times, differences, 0, n, 0, new Int32Array(32), 31)
    },
    hash,
    dropZeros(columns, times, differences, from, to, before) {
      let m = before
      for (let i = from; i < to; i++) if (differences[i] !== 0) move(columns, times, differences, i, m++)
      return m
    },
  }
}
