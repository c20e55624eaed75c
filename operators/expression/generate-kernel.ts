/** Generates the loop of a filter, a projection, or both, around the code of its expressions. */
import type { ColumnType } from '../../runtime/data/column-type.ts'
import { NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_TIMESTAMP_HIGH } from '../../runtime/data/column-type.ts'
import { kernel } from '../../runtime/data/kernel.ts'
import { compareText } from '../../runtime/data/value-order.ts'
import type { Frame } from './frame.ts'
import { generate, type Resolve } from './generate.ts'
import { type Code, CodeBuffer, type Parameter } from './generate-code.ts'
import type { ExpressionNode } from './node.ts'
import * as scalar from './scalar.ts'

/** Runs over input rows `from` to before `to` and returns the place after the last one written. */
export type Loop = (frame: Frame, from: number, to: number) => number

export interface Generated {
  readonly loop: Loop
  readonly slots: readonly number[]
  readonly parameters: readonly Parameter[]
}

const HELPERS = { ...scalar, compareText }
type Kernel = (x: Frame, from: number, to: number, h: typeof HELPERS) => number

/**
 * The loop over rows that pass `predicate` (all if null): computes `projection`, or if that is null writes the rows'
 * indices to the selection. Literals and column positions are not part of the code, so that operators that differ in
 * nothing else share one kernel.
 */
export function generateLoop(predicate: ExpressionNode | null, projection: readonly ExpressionNode[] | null, resolve: Resolve): Generated {
  const out = new CodeBuffer()
  if (predicate !== null) {
    const { value } = generate(predicate, out, resolve)
    if (projection === null) out.emit(`if (${value}) selection[at++] = i`)
    else out.emit(`if (!(${value})) continue`)
  }
  if (projection === null) {
    out.hoisted.push('const selection = x.selection')
  } else {
    out.hoisted.push('const differences = x.differences, outDifferences = x.outDifferences, times = x.times, outTimes = x.outTimes')
    projection.forEach((node, k) => {
      out.hoisted.push(`const o${k} = x.outColumns[${k}]`)
      if (node.op === 'column') copyColumn(node, k, out, resolve)
      else write(node.type, generate(node, out, resolve), k, out)
    })
    out.emit('outDifferences[at] = differences[i]\nif (times !== null) outTimes[at] = times[i]\nat++')
  }
  const source = `const P = x.parameters, S = x.slots, d = x.dictionary
${out.hoisted.join('\n')}
let at = x.at
for (let i = from; i < to; i++) {
${out.body()}
}
return at`
  const shared = kernel<Kernel>(`expression:${source}`, 'x,from,to,h', () => source)
  return { loop: (frame, from, to) => shared(frame, from, to, HELPERS), slots: out.slots, parameters: out.parameters }
}

function copyColumn(node: ExpressionNode, k: number, out: CodeBuffer, resolve: Resolve): void {
  const column = resolve(node)
  const c = `c${out.slot(column)}`
  const { width } = node.type
  if (width === 1) out.emit(`o${k}[at] = ${c}[i]`)
  else for (let word = 0; word < width; word++) out.emit(`o${k}[${width} * at + ${word}] = ${c}[${width} * i + ${word}]`)
}

/** Emits the writing of a value to place `at` of output column `k`. */
function write(type: ColumnType, code: Code, k: number, out: CodeBuffer): void {
  if (code.missing === '' || !type.nullable) {
    writeValue(type, code, k, out)
    return
  }
  const value = out.block(() => writeValue(type, code, k, out))
  out.emit(`if (${code.missing}) {\n${writeNull(type, k)}\n} else {\n${value}\n}`)
}

function writeValue(type: ColumnType, code: Code, k: number, out: CodeBuffer): void {
  const { width } = type
  switch (type.kind) {
    case 'int32':
      out.emit(width === 1 ? `o${k}[at] = ${code.value}` : `o${k}[2 * at] = ${code.value}; o${k}[2 * at + 1] = 0`)
      break
    case 'bool':
      out.emit(`o${k}[at] = ${code.value} ? 1 : 0`)
      break
    case 'float64': {
      out.hoisted.push(`const g${k} = x.outFloats[${k}]`)
      const value = out.let(code.value as string)
      // There is one NaN; what arithmetic leaves may have any sign and payload.
      out.emit(`if (${value} === ${value}) g${k}[at] = ${value}\nelse { o${k}[2 * at] = 0; o${k}[2 * at + 1] = ${0x7ff80000} }`)
      break
    }
    case 'int64':
    case 'timestamp': {
      const low = code.low ?? `${code.value} | 0`
      const high = code.high ?? `Math.floor(${code.value} * ${2 ** -32}) | 0`
      out.emit(`o${k}[${width} * at] = ${low}; o${k}[${width} * at + 1] = ${high}`)
      if (width === 3) out.emit(`o${k}[3 * at + 2] = 0`)
      break
    }
    default:
      out.emit(`o${k}[at] = ${out.id(code)}`)
  }
}

function writeNull(type: ColumnType, k: number): string {
  switch (type.kind) {
    case 'int32':
      return `o${k}[2 * at] = 0; o${k}[2 * at + 1] = 1`
    case 'bool':
      return `o${k}[at] = ${NULL_BOOL}`
    case 'float64':
      return `o${k}[2 * at] = ${NULL_FLOAT_LOW}; o${k}[2 * at + 1] = ${NULL_FLOAT_HIGH}`
    case 'int64':
      return `o${k}[3 * at] = 0; o${k}[3 * at + 1] = 0; o${k}[3 * at + 2] = 1`
    case 'timestamp':
      return `o${k}[2 * at] = 0; o${k}[2 * at + 1] = ${NULL_TIMESTAMP_HIGH}`
    default:
      return `o${k}[at] = 0`
  }
}
