/** The loops of a word table: generated for its widths, or interpreted. */
import { canGenerate, kernel } from './kernel.ts'

/** What the loops read and write of a table; see `WordTable`. */
export interface WordTableState {
  arena: Int32Array
  readonly capacity: number
  count: number
  index: Int32Array
  mask: number
  free: number
  top: number
  dying: Int32Array
  dyingCount: number
  overflow: boolean
}

export interface WordTableKernels {
  /** Ids of rows from .. n - 1, new ones for new rows; stops when the table is full. Returns the next row to do. */
  insert(table: WordTableState, from: number, n: number, out: Int32Array, at: number, columns: readonly Int32Array[]): number
  /** As insert, and adds each row's difference to its count. */
  put(
    table: WordTableState,
    from: number,
    n: number,
    differences: Int32Array,
    out: Int32Array,
    at: number,
    columns: readonly Int32Array[],
  ): number
  find(table: WordTableState, n: number, out: Int32Array, columns: readonly Int32Array[]): void
  /** The hash of the row whose words begin at arena[at]. */
  hashAt(arena: Int32Array, at: number): number
}

/** Kernels for columns of these widths. `forced` is the hash of every row in tests of collisions. */
export function wordTableKernels(widths: readonly number[], forced: number | null): WordTableKernels {
  if (!canGenerate()) return interpreted(widths, forced)
  return kernel<() => WordTableKernels>(`words:${widths.join()}:${forced}`, 'none', () => source(widths, forced))()
}

function source(widths: readonly number[], forced: number | null): string {
  const columns = widths.map((_, c) => `c${c}=columns[${c}]`).join()
  const words = widths.flatMap((width, c) =>
    Array.from({ length: width }, (_, j) => (width === 1 ? `c${c}[i]` : j === 0 ? `c${c}[${width}*i]` : `c${c}[${width}*i+${j}]`)),
  )
  const names = words.map((_, j) => `w${j}`)
  const stride = words.length + 1
  const load = words.map((word, j) => `const w${j}=${word};`).join('')
  const equal = names.map((name, j) => `arena[p+${j + 1}]===${name}`).join('&&')
  // The hash of one word is a bijection of it: equal hashes need no second look at the row.
  const same = names.length === 1 && forced === null ? 'true' : equal
  const search = `let q=(h&mask)<<1,id=-1
for(;;){const e=index[q+1];if(e===0)break;if(index[q]===h){const p=(e-1)*${stride};if(${same}){id=e-1;break}}q=(q+2)&wordMask}`
  const table = 'const arena=table.arena,index=table.index,mask=table.mask,wordMask=2*mask+1'
  const claim = `if(free>=0){id=free;free=arena[id*${stride}]-2}else{if(top===capacity)break;id=top++}
live++;const p=id*${stride};${names.map((name, j) => `arena[p+${j + 1}]=${name}`).join(';')};index[q]=h;index[q+1]=id+1`
  const state = 'const capacity=table.capacity;let free=table.free,top=table.top,live=table.count,i=from'
  const save = 'table.free=free;table.top=top;table.count=live'
  return `return{
insert(table,from,n,out,at,columns){
${table};${state};const ${columns}
for(;i<n;i++){${load}${hashOf(names, forced)}
${search}
if(id<0){${claim};arena[p]=1}
out[at+i]=id}
${save};return i},
put(table,from,n,differences,out,at,columns){
${table};${state};const dying=table.dying,${columns};let dead=table.dyingCount
for(;i<n;i++){${load}${hashOf(names, forced)}
${search}
const d=differences[i]
if(id<0){${claim};arena[p]=d;if(d===0)dying[dead++]=id}
else{const p=id*${stride},x=arena[p]+d;if((x|0)!==x){table.overflow=true;break}arena[p]=x;if(x===0)dying[dead++]=id}
out[at+i]=id}
${save};table.dyingCount=dead;return i},
find(table,n,out,columns){
${table};const ${columns}
for(let i=0;i<n;i++){${load}${hashOf(names, forced)}
${search}
out[i]=id}},
hashAt(arena,at){${names.map((name, j) => `const ${name}=arena[at+${j}];`).join('')}${hashOf(names, forced)};return h}}`
}

/** Statement `let h=...` of the hash over the words. */
function hashOf(names: readonly string[], forced: number | null): string {
  if (forced !== null) return `let h=${forced}`
  const first = `let h=${names[0]}|0;`
  const rest = names.slice(1).map((name) => `h=Math.imul(h^(h>>>15),0x2c1b3c6d)^${name};`)
  return `${first}${rest.join('')}h=Math.imul(h^(h>>>16),0x85ebca6b);h=Math.imul(h^(h>>>13),0xc2b2ae35);h^=h>>>16`
}

function interpreted(widths: readonly number[], forced: number | null): WordTableKernels {
  const total = widths.reduce((sum, width) => sum + width, 0)
  const stride = total + 1
  const row = new Int32Array(total)

  function load(columns: readonly Int32Array[], i: number): void {
    let at = 0
    for (let c = 0; c < widths.length; c++) {
      const width = widths[c] as number
      for (let j = 0; j < width; j++) row[at++] = (columns[c] as Int32Array)[i * width + j] as number
    }
  }

  function hashAt(arena: Int32Array, at: number): number {
    if (forced !== null) return forced
    let h = arena[at] as number
    for (let j = 1; j < total; j++) h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ (arena[at + j] as number)
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return h ^ (h >>> 16)
  }

  /** The index slot of `row` with hash h, or of the gap where it belongs. */
  function slotOf(table: WordTableState, h: number): number {
    const { arena, index, mask } = table
    let q = (h & mask) << 1
    for (; index[q + 1] !== 0; q = (q + 2) & (2 * mask + 1)) {
      const p = ((index[q + 1] as number) - 1) * stride + 1
      let j = index[q] === h ? 0 : total + 1
      while (j < total && arena[p + j] === row[j]) j++
      if (j === total) break
    }
    return q
  }

  /** The id of `row`, its own slot taken if it is new, or -1 when the table is full. */
  function claim(table: WordTableState, count: number): number {
    const h = hashAt(row, 0)
    const q = slotOf(table, h)
    const { arena, index } = table
    if (index[q + 1] !== 0) return (index[q + 1] as number) - 1
    let id = table.free
    if (id >= 0) table.free = (arena[id * stride] as number) - 2
    else if (table.top === table.capacity) return -1
    else id = table.top++
    table.count++
    arena[id * stride] = count
    arena.set(row, id * stride + 1)
    index[q] = h
    index[q + 1] = id + 1
    return id
  }

  return {
    insert(table, from, n, out, at, columns) {
      let i = from
      for (; i < n; i++) {
        load(columns, i)
        const id = claim(table, 1)
        if (id < 0) break
        out[at + i] = id
      }
      return i
    },
    put(table, from, n, differences, out, at, columns) {
      let i = from
      for (; i < n; i++) {
        load(columns, i)
        const id = claim(table, 0)
        if (id < 0) break
        const count = (table.arena[id * stride] as number) + (differences[i] as number)
        if ((count | 0) !== count) {
          table.overflow = true
          break
        }
        table.arena[id * stride] = count
        if (count === 0) table.dying[table.dyingCount++] = id
        out[at + i] = id
      }
      return i
    },
    find(table, n, out, columns) {
      for (let i = 0; i < n; i++) {
        load(columns, i)
        out[i] = (table.index[slotOf(table, hashAt(row, 0)) + 1] as number) - 1
      }
    },
    hashAt,
  }
}
