/**
 * Values in generated code, and the buffer that the code is collected in.
 *
 * 64-bit integers have two forms: the two words of a column, which are copied and compared as they are, and a double that
 * is a safe integer, in which arithmetic is done. A row with a value that fits neither is left to the interpreter.
 * Text likewise: an id, which is copied and compared for equality, or the string that operations on content need.
 */
import type { Kind } from '../../runtime/data/column-type.ts'
import { NULL_BOOL, NULL_FLOAT_HIGH, NULL_FLOAT_LOW, NULL_TIMESTAMP_HIGH } from '../../runtime/data/column-type.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { ExpressionNode } from './node.ts'
import { literalValue } from './node.ts'

/** Most nodes of the expressions of one operator: a larger one is a mistake, or better a function. */
const MAX_NODES = 10_000

/** Leaves the row to the interpreter, which also reports its error if it has one. */
export const SLOW = '{ at = x.slow(i, at); continue }'

/** A value in generated code: JavaScript expressions without effects. What does not apply is ''. */
export interface Code {
  readonly kind: Kind
  /** Whether it is null; '' if never. */
  readonly missing: string
  /** A number, a boolean (false where null), or, for int64 and timestamp, a safe integer. */
  readonly value?: string
  readonly low?: string
  readonly high?: string
  readonly id?: string
  readonly text?: string
  readonly literal?: ExpressionNode
}

/** A literal of a kernel: passed to it at each run, interned first if it is to be an id. */
export interface Parameter {
  readonly value: unknown
  readonly intern: boolean
}

export class CodeBuffer {
  /** Declarations before the loop. */
  readonly hoisted: string[] = []
  /** Input column of each slot, by order of first use. */
  readonly slots: number[] = []
  readonly parameters: Parameter[] = []
  /** Statements of the open blocks; [0] is the loop's body. */
  private readonly blocks: string[][] = [[]]
  private readonly columns = new Map<number, Code>()
  private names = 0
  private nodes = 0

  /** Counts a node against the bound. */
  enter(): void {
    if (++this.nodes > MAX_NODES) {
      throw new MillraceError(
        'CONFIG',
        `An expression has more than ${MAX_NODES} parts.`,
        'Split it over several operators, or use a function.',
      )
    }
  }

  name(): string {
    return `v${this.names++}`
  }

  emit(statement: string): void {
    ;(this.blocks[this.blocks.length - 1] as string[]).push(statement)
  }

  /** A name for the value of an expression. */
  let(expression: string): string {
    if (/^[a-z]+\d*$/.test(expression)) return expression
    const name = this.name()
    this.emit(`const ${name} = ${expression}`)
    return name
  }

  /** What `write` emits, as the text of a block. */
  block(write: () => void): string {
    this.blocks.push([])
    write()
    return (this.blocks.pop() as string[]).join('\n')
  }

  body(): string {
    return (this.blocks[0] as string[]).join('\n')
  }

  parameter(value: unknown, intern = false): string {
    this.parameters.push({ value, intern })
    return `P[${this.parameters.length - 1}]`
  }

  hoist(expression: string): string {
    const name = this.name()
    this.hoisted.push(`const ${name} = ${expression}`)
    return name
  }

  slot(column: number): number {
    const known = this.slots.indexOf(column)
    if (known >= 0) return known
    this.slots.push(column)
    const slot = this.slots.length - 1
    this.hoisted.push(`const c${slot} = x.columns[S[${slot}]]`)
    return slot
  }

  /** Reads a column, once a row however often it is used. */
  column(node: ExpressionNode, column: number): Code {
    let code = this.columns.get(column)
    if (code === undefined) {
      code = this.load(node, this.slot(column))
      this.columns.set(column, code)
    }
    return code
  }

  private load(node: ExpressionNode, s: number): Code {
    const { kind, nullable, width } = node.type
    // Loads go to the loop's body, also when the first use is in a block that not every row enters.
    const body = this.blocks[0] as string[]
    switch (kind) {
      case 'int32':
        body.push(nullable ? `const a${s} = c${s}[2 * i], n${s} = c${s}[2 * i + 1] !== 0` : `const a${s} = c${s}[i]`)
        return { kind, missing: nullable ? `n${s}` : '', value: `a${s}` }
      case 'bool':
        body.push(`const a${s} = c${s}[i] === 1`)
        if (nullable) body.push(`const n${s} = c${s}[i] === ${NULL_BOOL}`)
        return { kind, missing: nullable ? `n${s}` : '', value: `a${s}` }
      case 'float64':
        this.hoisted.push(`const f${s} = x.floats[S[${s}]]`)
        body.push(`const a${s} = f${s}[i]`)
        if (nullable) body.push(`const n${s} = c${s}[2 * i + 1] === ${NULL_FLOAT_HIGH} && c${s}[2 * i] === ${NULL_FLOAT_LOW}`)
        return { kind, missing: nullable ? `n${s}` : '', value: `a${s}` }
      case 'int64':
      case 'timestamp': {
        body.push(`const l${s} = c${s}[${width} * i], h${s} = c${s}[${width} * i + 1]`)
        if (nullable) {
          const test = kind === 'int64' ? `c${s}[3 * i + 2] !== 0` : `l${s} === 0 && h${s} === ${NULL_TIMESTAMP_HIGH}`
          body.push(`const n${s} = ${test}`)
        }
        return { kind, missing: nullable ? `n${s}` : '', low: `l${s}`, high: `h${s}` }
      }
      default:
        body.push(`const a${s} = c${s}[i]`)
        return { kind, missing: nullable ? `(a${s} === 0)` : '', id: `a${s}` }
    }
  }

  literal(node: ExpressionNode): Code {
    const { kind } = node.type
    const value = literalValue(node)
    const missing = value === null ? 'true' : ''
    switch (kind) {
      case 'int32':
        return { kind, missing, value: this.hoist(`${this.parameter(value ?? 0)} | 0`) }
      case 'bool':
        return { kind, missing, value: this.hoist(`${this.parameter(value ?? false)} === true`) }
      case 'float64':
        return { kind, missing, value: this.hoist(`+${this.parameter(value ?? 0)}`) }
      case 'int64':
      case 'timestamp': {
        const long = (value ?? 0n) as bigint
        const low = this.hoist(`${this.parameter(Number(BigInt.asIntN(32, long)))} | 0`)
        const high = this.hoist(`${this.parameter(Number(long >> 32n))} | 0`)
        return { kind, missing, low, high }
      }
      default:
        return { kind, missing, literal: node }
    }
  }

  /** A 64-bit integer as a double: exact if safe, else on the right side of every safe integer. */
  approximate(code: Code): string {
    return code.value ?? this.let(`${code.high} * 4294967296 + (${code.low} >>> 0)`)
  }

  /** A 64-bit integer that is not null as a safe double; a row where it is none is left to the interpreter. */
  safe(code: Code): string {
    return code.value ?? this.checkSafe(this.approximate(code))
  }

  checkSafe(expression: string): string {
    const name = this.let(expression)
    this.emit(`if (!(${name} <= 9007199254740991 && ${name} >= -9007199254740991)) ${SLOW}`)
    return name
  }

  /** The id of an interned value that is not null, unless it is 0. */
  id(code: Code): string {
    if (code.id !== undefined) return code.id
    if (code.literal === undefined) return this.let(`d.intern(${code.text})`)
    return code.missing === '' ? this.hoist(`${this.parameter(literalValue(code.literal), true)} | 0`) : '0'
  }

  /** The content of an interned value that is not null. */
  text(code: Code): string {
    if (code.text !== undefined) return code.text
    if (code.literal === undefined) return this.let(`d.get(${code.id})`)
    return this.hoist(this.parameter(literalValue(code.literal) ?? ''))
  }
}
