/** The loops of a row codec: rows to words and back, generated for a schema, or interpreted. */
import type { Batch } from './batch.ts'
import type { ColumnType } from './column-type.ts'
import { NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_TIMESTAMP_HIGH } from './column-type.ts'
import type { Dictionary } from './dictionary.ts'
import { canGenerate, kernel } from './kernel.ts'
import type { Schema } from './schema.ts'
import { NAN_HIGH, readValue, toBigInt, writeValue } from './value-codec.ts'
import { decode, encode, microseconds, wrongType } from './value-encoding.ts'

export interface Row {
  readonly [name: string]: unknown
}

/** A row and how often it was added; removed when negative. */
export interface Change {
  readonly row: Row
  readonly diff: number
}

export interface RowKernels {
  /** Appends rows[from] up to rows[to - 1]; throws anything for a wrong row, before it sets batch.n. */
  writeRows(rows: readonly object[], from: number, to: number, batch: Batch, difference: number, dictionary: Dictionary): void
  readRow(batch: Batch, i: number, dictionary: Dictionary): Row
  readRows(batch: Batch, from: number, to: number, dictionary: Dictionary): Change[]
}

/** A column of two words as doubles. A batch that shows another's columns may lack the view. */
export function floatView(batch: Batch, column: number): Float64Array {
  const words = batch.columns[column] as Int32Array
  const view = batch.floats[column]
  return view && view.buffer === words.buffer ? view : new Float64Array(words.buffer, words.byteOffset, words.length >> 1)
}

/** A column of two words as bigints. */
export function longView(batch: Batch, column: number): BigInt64Array {
  const words = batch.columns[column] as Int32Array
  const view = batch.longs[column]
  return view && view.buffer === words.buffer ? view : new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1)
}

const HELPERS = { floatView, longView, toBigInt, encode, decode, microseconds, wrongType, scratch: new BigInt64Array(1) }

/** Generated kernels of a schema, or null where code can't be generated. */
export function generatedKernels(schema: Schema): RowKernels | null {
  if (!canGenerate()) return null
  const make = kernel<(types: readonly ColumnType[], helpers: typeof HELPERS) => RowKernels>(
    `rows:${schema.signature}`,
    'types,helpers',
    () => source(schema),
  )
  return make(schema.types, HELPERS)
}

function source(schema: Schema): string {
  const { names, types } = schema
  const columns = types.map((type, k) => viewsOf(type, k)).join('')
  const typeConstants = types.map((_, k) => `const t${k}=types[${k}];`).join('')
  const writes = types.map((type, k) => `const v${k}=r[${JSON.stringify(names[k])}];${writeOf(type, k)}`).join('\n')
  // A literal key "__proto__" would set the prototype; a computed one makes a property.
  const fields = types.map((type, k) =>
    `[${JSON.stringify(names[k])}]:${readOf(type, k)}`.replace(/^\[("(?!__proto__")[^\]]*?")\]:/, '$1:'),
  )
  const row = `{${fields.join()}}`
  return `const{floatView,longView,toBigInt,encode,decode,microseconds,wrongType,scratch}=helpers
const scratchWords=new Int32Array(scratch.buffer)
${typeConstants}
function bad(type,v){throw wrongType(type,v)}
return{
writeRows(rows,from,to,batch,difference,dictionary){
const differences=batch.differences;${columns}
let m=batch.n
for(let i=from;i<to;i++){
const r=rows[i]
${writes}
differences[m++]=difference
}
batch.n=m
},
readRow(batch,i,dictionary){
const strings=dictionary.strings;${columns}
return ${row}
},
readRows(batch,from,to,dictionary){
const strings=dictionary.strings,differences=batch.differences;${columns}
const changes=new Array(to-from)
for(let i=from;i<to;i++)changes[i-from]={row:${row},diff:differences[i]}
return changes
}}`
}

function viewsOf(type: ColumnType, k: number): string {
  const words = `const c${k}=batch.columns[${k}];`
  if (type.kind === 'float64') return `${words}const f${k}=floatView(batch,${k});`
  if (type.width === 2 && type.kind !== 'int32') return `${words}const g${k}=longView(batch,${k});`
  return words
}

/** Statement that stores the value v of column k at row m. */
function writeOf(type: ColumnType, k: number): string {
  const c = `c${k}`
  const v = `v${k}`
  const bad = `bad(t${k},${v})`
  const orNull = (storeNull: string, store: string) => (type.nullable ? `if(${v}===null){${storeNull}}else{${store}}` : store)
  switch (type.kind) {
    case 'int32':
      if (!type.nullable) return `if((${v}|0)!==${v})${bad};${c}[m]=${v}`
      return `if(${v}===null){${c}[2*m]=0;${c}[2*m+1]=1}else{if((${v}|0)!==${v})${bad};${c}[2*m]=${v};${c}[2*m+1]=0}`
    case 'bool':
      return `${c}[m]=${v}===true?1:${v}===false?0:${type.nullable ? `${v}===null?${NULL_BOOL}:` : ''}${bad}`
    case 'text':
      return orNull(`${c}[m]=0`, `if(typeof ${v}!=='string')${bad};${c}[m]=dictionary.intern(${v})`)
    case 'float64':
      return orNull(
        `${c}[2*m]=${NULL_FLOAT_LOW};${c}[2*m+1]=${NULL_FLOAT_HIGH}`,
        `if(typeof ${v}!=='number')${bad};if(${v}!==${v}){${c}[2*m]=0;${c}[2*m+1]=${NAN_HIGH}}else f${k}[m]=${v}`,
      )
    case 'int64':
      if (!type.nullable) return `if(typeof ${v}!=='bigint')${bad};g${k}[m]=${v};if(g${k}[m]!==${v})${bad}`
      return `if(${v}===null){${c}[3*m]=0;${c}[3*m+1]=0;${c}[3*m+2]=1}else{if(typeof ${v}!=='bigint')${bad};
scratch[0]=${v};if(scratch[0]!==${v})${bad};${c}[3*m]=scratchWords[0];${c}[3*m+1]=scratchWords[1];${c}[3*m+2]=0}`
    case 'timestamp':
      // Two to the 63 and its like wrap when stored, so the value is compared; the least int64 stands for null.
      return orNull(
        `${c}[2*m]=0;${c}[2*m+1]=${NULL_TIMESTAMP_HIGH}`,
        `if(typeof ${v}==='bigint'){g${k}[m]=${v};if(g${k}[m]!==${v}||(${c}[2*m+1]===${NULL_TIMESTAMP_HIGH}&&${c}[2*m]===0))${bad}}
else g${k}[m]=microseconds(t${k},${v})`,
      )
    default:
      return orNull(`${c}[m]=0`, `${c}[m]=dictionary.intern(encode(t${k},${v}))`)
  }
}

/** Expression for the value of column k at row i. */
function readOf(type: ColumnType, k: number): string {
  const c = `c${k}`
  const orNull = (isNull: string, value: string) => (type.nullable ? `(${isNull}?null:${value})` : value)
  switch (type.kind) {
    case 'int32':
      return type.nullable ? `(${c}[2*i+1]===1?null:${c}[2*i])` : `${c}[i]`
    case 'bool':
      return orNull(`${c}[i]===${NULL_BOOL}`, `${c}[i]===1`)
    case 'float64':
      return orNull(`${c}[2*i+1]===${NULL_FLOAT_HIGH}&&${c}[2*i]===${NULL_FLOAT_LOW}`, `f${k}[i]`)
    case 'int64':
      return type.nullable ? `(${c}[3*i+2]===1?null:toBigInt(${c}[3*i],${c}[3*i+1]))` : `g${k}[i]`
    case 'timestamp':
      return orNull(`${c}[2*i+1]===${NULL_TIMESTAMP_HIGH}&&${c}[2*i]===0`, `g${k}[i]`)
    case 'text':
      return orNull(`${c}[i]===0`, `strings[${c}[i]]`)
    default:
      return orNull(`${c}[i]===0`, `decode(t${k},strings[${c}[i]])`)
  }
}

/** Kernels that look at the schema for every value. */
export function interpretedKernels(schema: Schema): RowKernels {
  const { names, types } = schema
  function readRow(batch: Batch, i: number, dictionary: Dictionary): Row {
    const row: Record<string, unknown> = {}
    for (let k = 0; k < names.length; k++) {
      const value = readValue(types[k] as ColumnType, batch.columns[k] as Int32Array, i, dictionary)
      const name = names[k] as string
      if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true })
      else row[name] = value
    }
    return row
  }
  return {
    writeRows(rows, from, to, batch, difference, dictionary) {
      const n = batch.n
      for (let i = from; i < to; i++) {
        const row = rows[i] as Row
        for (let k = 0; k < names.length; k++) {
          writeValue(types[k] as ColumnType, row[names[k] as string], batch.columns[k] as Int32Array, n + i - from, dictionary)
        }
        batch.differences[n + i - from] = difference
      }
      batch.n = n + to - from
    },
    readRow,
    readRows(batch, from, to, dictionary) {
      const changes: Change[] = []
      for (let i = from; i < to; i++) changes.push({ row: readRow(batch, i, dictionary), diff: batch.differences[i] as number })
      return changes
    },
  }
}
