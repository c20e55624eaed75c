/** Generates the code of one expression; its meaning is that of interpret.ts. */
import type { Code, CodeBuffer } from './generate-code.ts'
import { SLOW } from './generate-code.ts'
import type { ComparisonOperation, ExpressionNode } from './node.ts'

export type Resolve = (node: ExpressionNode) => number

export function generate(node: ExpressionNode, out: CodeBuffer, resolve: Resolve): Code {
  out.enter()
  switch (node.op) {
    case 'column':
      return out.column(node, resolve(node))
    case 'literal':
      return out.literal(node)
    case 'and':
    case 'or':
      return logic(node, out, resolve)
    case 'orElse':
      return orElse(node, out, resolve)
    case 'when':
      return when(node, out, resolve)
  }
  const args = node.args.map((arg) => generate(arg, out, resolve))
  const [a, b] = args as [Code, Code]
  switch (node.op) {
    case 'isNull':
      return { kind: 'bool', missing: '', value: a.missing === '' ? 'false' : a.missing }
    case 'isNotNull':
      return { kind: 'bool', missing: '', value: a.missing === '' ? 'true' : `!${paren(a.missing)}` }
    case 'not':
      return { kind: 'bool', missing: a.missing, value: a.missing === '' ? `!${paren(a.value)}` : out.let(`!(${a.value} || ${a.missing})`) }
    case 'least':
    case 'greatest':
      return extreme(node, a, b, out)
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return comparison(node.op, a, b, out)
    default:
      return strict(node, args, out)
  }
}

function paren(code: string | undefined): string {
  return `(${code})`
}

function anyMissing(args: readonly Code[]): string {
  return args
    .map((arg) => arg.missing)
    .filter((missing) => missing !== '')
    .join(' || ')
}

/** An operation that is null if an argument is, evaluated only where none is. */
function strict(node: ExpressionNode, args: readonly Code[], out: CodeBuffer): Code {
  const passed = passThrough(node, args)
  if (passed !== null) return passed
  const missing = anyMissing(args)
  if (missing === '') return evaluate(node, args, out)
  const name = out.let(missing)
  const result = holder(node, out)
  const block = out.block(() => result.assign(evaluate(node, args, out)))
  out.emit(`if (!${name}) {\n${block}\n}`)
  return { ...result.code, missing: name }
}

/** Casts that change the kind and not the words. */
function passThrough(node: ExpressionNode, args: readonly Code[]): Code | null {
  const a = args[0] as Code
  const { kind } = node.type
  if (node.op === 'toInt64' && (a.kind === 'int32' || a.kind === 'timestamp')) return { ...a, kind }
  if (node.op === 'toFloat64' && a.kind === 'int32') return { ...a, kind }
  if (node.op === 'toText' && a.kind === 'decimal') return { ...a, kind }
  return null
}

interface Holder {
  readonly code: Code
  /** Emits the assignment of a value that is not null. */
  assign(from: Code): void
}

/** Variables that a value of a node's type is assigned to in one of several places. */
function holder(node: ExpressionNode, out: CodeBuffer): Holder {
  const { kind } = node.type
  const name = out.name()
  switch (kind) {
    case 'int64':
    case 'timestamp': {
      if (!isCompact(node)) {
        out.emit(`let ${name} = 0`)
        return { code: { kind, missing: '', value: name }, assign: (from) => out.emit(`${name} = ${out.safe(from)}`) }
      }
      const high = out.name()
      out.emit(`let ${name} = 0, ${high} = 0`)
      return {
        code: { kind, missing: '', low: name, high },
        assign: (from) => out.emit(`${name} = ${from.low}; ${high} = ${from.high}`),
      }
    }
    case 'int32':
    case 'float64':
    case 'bool':
      out.emit(`let ${name} = ${kind === 'bool' ? 'false' : '0'}`)
      return { code: { kind, missing: '', value: name }, assign: (from) => out.emit(`${name} = ${from.value}`) }
    default:
      if (isCompact(node)) {
        out.emit(`let ${name} = 0`)
        return { code: { kind, missing: '', id: name }, assign: (from) => out.emit(`${name} = ${out.id(from)}`) }
      }
      out.emit(`let ${name} = ''`)
      return { code: { kind, missing: '', text: name }, assign: (from) => out.emit(`${name} = ${out.text(from)}`) }
  }
}

/** Whether a 64-bit or interned value is at hand as words or id, without computing. */
function isCompact(node: ExpressionNode): boolean {
  switch (node.op) {
    case 'column':
    case 'literal':
      return true
    case 'orElse':
    case 'least':
    case 'greatest':
      return node.args.every(isCompact)
    case 'when':
      return node.args.slice(1).every(isCompact)
    case 'toInt64':
      return node.args[0]?.type.kind === 'timestamp' && node.args.every(isCompact)
    case 'toText':
      return node.args[0]?.type.kind === 'decimal' && node.args.every(isCompact)
    case 'toTimestamp':
      return node.args[0]?.type.kind === 'int64' && node.args.every(isCompact)
    default:
      return false
  }
}

/** Emits the assignment of a value that may be null to variables and their null flag. */
function assignNullable(result: Holder, missing: string, from: Code, out: CodeBuffer): void {
  if (from.missing === '') {
    out.emit(`${missing} = false`)
    result.assign(from)
    return
  }
  out.emit(`${missing} = ${from.missing}`)
  const block = out.block(() => result.assign(from))
  out.emit(`if (!${missing}) {\n${block}\n}`)
}

function orElse(node: ExpressionNode, out: CodeBuffer, resolve: Resolve): Code {
  const [first, second] = node.args as [ExpressionNode, ExpressionNode]
  const a = generate(first, out, resolve)
  const missing = out.name()
  out.emit(`let ${missing} = false`)
  const result = holder(node, out)
  assignNullable(result, missing, a, out)
  const block = out.block(() => assignNullable(result, missing, generate(second, out, resolve), out))
  if (a.missing !== '') out.emit(`if (${missing}) {\n${block}\n}`)
  return { ...result.code, missing: node.type.nullable ? missing : '' }
}

function when(node: ExpressionNode, out: CodeBuffer, resolve: Resolve): Code {
  const [condition, yes, no] = node.args as [ExpressionNode, ExpressionNode, ExpressionNode]
  const test = generate(condition, out, resolve).value
  const missing = out.name()
  out.emit(`let ${missing} = false`)
  const result = holder(node, out)
  const branch = (chosen: ExpressionNode) => out.block(() => assignNullable(result, missing, generate(chosen, out, resolve), out))
  const yesBlock = branch(yes)
  const noBlock = branch(no)
  out.emit(`if (${test}) {\n${yesBlock}\n} else {\n${noBlock}\n}`)
  return { ...result.code, missing: node.type.nullable ? missing : '' }
}

function logic(node: ExpressionNode, out: CodeBuffer, resolve: Resolve): Code {
  const [first, second] = node.args as [ExpressionNode, ExpressionNode]
  const isAnd = node.op === 'and'
  const a = generate(first, out, resolve)
  let b = a
  const block = out.block(() => {
    b = generate(second, out, resolve)
  })
  const nullable = a.missing !== '' || b.missing !== ''
  if (block === '' && !nullable) return { kind: 'bool', missing: '', value: `(${a.value} ${isAnd ? '&&' : '||'} ${b.value})` }
  const value = out.name()
  const missing = out.name()
  const left = a.missing === '' ? `${a.value}` : `(${a.value} || ${a.missing})`
  out.emit(`let ${value} = ${!isAnd}, ${missing} = false`)
  const rest = isAnd
    ? `${value} = ${a.value} && ${b.value}; ${missing} = !${value} && (${b.value} || ${b.missing || 'false'})`
    : `${value} = ${b.value}; ${missing} = !${value} && (${a.missing || 'false'} || ${b.missing || 'false'})`
  out.emit(`if (${isAnd ? left : `!${paren(a.value)}`}) {\n${block}\n${rest}\n}`)
  return { kind: 'bool', missing: nullable ? missing : '', value }
}

function extreme(node: ExpressionNode, a: Code, b: Code, out: CodeBuffer): Code {
  const missing = out.name()
  out.emit(`let ${missing} = false`)
  const result = holder(node, out)
  const take = (from: Code) => out.block(() => assignNullable(result, missing, from, out))
  const onlyA = take(a)
  const onlyB = take(b)
  const better = out.block(() => {
    const test = compare(node.op === 'least' ? 'lt' : 'gt', b, a, out)
    const yes = out.block(() => result.assign(b))
    const no = out.block(() => result.assign(a))
    out.emit(`if (${test}) {\n${yes}\n} else {\n${no}\n}`)
  })
  out.emit(`if (${b.missing || 'false'}) {\n${onlyA}\n} else if (${a.missing || 'false'}) {\n${onlyB}\n} else {\n${better}\n}`)
  return { ...result.code, missing: node.type.nullable ? missing : '' }
}

const SYMBOLS: Record<ComparisonOperation, string> = { eq: '===', ne: '!==', lt: '<', le: '<=', gt: '>', ge: '>=' }

function comparison(op: ComparisonOperation, a: Code, b: Code, out: CodeBuffer): Code {
  const missing = anyMissing([a, b])
  if (missing === '') return { kind: 'bool', missing: '', value: `(${compare(op, a, b, out)})` }
  const name = out.let(missing)
  const value = out.name()
  out.emit(`let ${value} = false`)
  const block = out.block(() => out.emit(`${value} = ${compare(op, a, b, out)}`))
  out.emit(`if (!${name}) {\n${block}\n}`)
  return { kind: 'bool', missing: name, value }
}

/** The code of a comparison of two values that are not null. */
function compare(op: ComparisonOperation, a: Code, b: Code, out: CodeBuffer): string {
  const symbol = SYMBOLS[op]
  switch (a.kind) {
    case 'int32':
    case 'bool':
      return `${a.value} ${symbol} ${b.value}`
    case 'float64':
      return compareFloat(op, a.value as string, b.value as string)
    case 'int64':
    case 'timestamp':
      if (a.low !== undefined && b.low !== undefined) return compareWords(op, a, b)
      return `${out.approximate(a)} ${symbol} ${out.approximate(b)}`
    case 'decimal':
      return `h.compareDecimal(${out.text(a)}, ${out.text(b)}) ${symbol} 0`
    default:
      if (op === 'eq' || op === 'ne') {
        const computed = a.text !== undefined || b.text !== undefined
        return computed ? `${out.text(a)} ${symbol} ${out.text(b)}` : `${out.id(a)} ${symbol} ${out.id(b)}`
      }
      return `h.compareText(${out.text(a)}, ${out.text(b)}) ${symbol} 0`
  }
}

/** NaN equals itself and is above every number. */
function compareFloat(op: ComparisonOperation, a: string, b: string): string {
  switch (op) {
    case 'eq':
      return `(${a} === ${b} || (${a} !== ${a} && ${b} !== ${b}))`
    case 'ne':
      return `!${compareFloat('eq', a, b)}`
    case 'lt':
      return `(${a} < ${b} || (${b} !== ${b} && ${a} === ${a}))`
    case 'le':
      return `(${a} <= ${b} || ${b} !== ${b})`
    case 'gt':
      return compareFloat('lt', b, a)
    default:
      return compareFloat('le', b, a)
  }
}

function compareWords(op: ComparisonOperation, a: Code, b: Code): string {
  switch (op) {
    case 'eq':
      return `(${a.low} === ${b.low} && ${a.high} === ${b.high})`
    case 'ne':
      return `(${a.low} !== ${b.low} || ${a.high} !== ${b.high})`
    default:
      return `(${a.high} === ${b.high} ? (${a.low} >>> 0) ${SYMBOLS[op]} (${b.low} >>> 0) : ${a.high} ${SYMBOLS[op]} ${b.high})`
  }
}

/** The value of a strict operation whose arguments are not null. */
function evaluate(node: ExpressionNode, args: readonly Code[], out: CodeBuffer): Code {
  const { kind } = node.type
  const [a, b, c] = args as [Code, Code, Code | undefined]
  const value = (expression: string): Code => ({ kind, missing: '', value: out.let(expression) })
  const string = (expression: string): Code => ({ kind, missing: '', text: out.let(expression) })
  switch (node.op) {
    case 'length':
      return value(`h.textLength(${out.text(a)})`)
    case 'lower':
      return string(`${out.text(a)}.toLowerCase()`)
    case 'upper':
      return string(`${out.text(a)}.toUpperCase()`)
    case 'concat':
      return string(`${out.text(a)} + ${out.text(b)}`)
    case 'startsWith':
    case 'endsWith':
      return value(`${out.text(a)}.${node.op}(${out.text(b)})`)
    case 'contains':
      return value(`${out.text(a)}.includes(${out.text(b)})`)
    case 'slice':
      return string(`h.textSlice(${out.text(a)}, ${b.value}, ${c === undefined ? 'undefined' : c.value})`)
    case 'toInt32':
    case 'toInt64':
    case 'toFloat64':
    case 'toText':
    case 'toTimestamp':
    case 'toDecimal':
      return casting(node, a, out)
    case 'floor':
    case 'ceil':
      return value(`Math.${node.op}(${a.value})`)
    case 'round':
      return value(`h.roundHalfEven(${a.value})`)
    case 'truncate': {
      const from = out.safe(a)
      const unit = out.approximate(b)
      return value(out.checkSafe(`Math.floor(${from} / ${unit}) * ${unit}`))
    }
    default:
      switch (kind) {
        case 'int32':
          return value(int32Arithmetic(node, a.value as string, b?.value as string, out))
        case 'float64':
          return value(floatArithmetic(node, a.value as string, b?.value as string, out))
        default:
          return value(longArithmetic(node, out.safe(a), b === undefined ? '' : out.safe(b), out))
      }
  }
}

function int32Arithmetic(node: ExpressionNode, a: string, b: string, out: CodeBuffer): string {
  const checked = (expression: string): string => {
    const name = out.let(expression)
    out.emit(`if (${name} !== (${name} | 0)) ${SLOW}`)
    return name
  }
  switch (node.op) {
    case 'plus':
      return checked(`${a} + ${b}`)
    case 'minus':
      return checked(`${a} - ${b}`)
    case 'times':
      return `${checked(`${a} * ${b}`)} | 0`
    case 'divide':
      out.emit(`if (${b} === 0 || (${b} === -1 && ${a} === -2147483648)) ${SLOW}`)
      return `(${a} / ${b}) | 0`
    case 'modulo':
      out.emit(`if (${b} === 0) ${SLOW}`)
      return `(${a} % ${b}) | 0`
    case 'negate':
      out.emit(`if (${a} === -2147483648) ${SLOW}`)
      return `-${a} | 0`
    default:
      out.emit(`if (${a} === -2147483648) ${SLOW}`)
      return `${a} < 0 ? -${a} : ${a}`
  }
}

function floatArithmetic(node: ExpressionNode, a: string, b: string, out: CodeBuffer): string {
  switch (node.op) {
    case 'plus':
      return `${a} + ${b}`
    case 'minus':
      return `${a} - ${b}`
    case 'times':
      return `${a} * ${b}`
    case 'divide':
      out.emit(`if (${b} === 0) ${SLOW}`)
      return `${a} / ${b}`
    case 'modulo':
      out.emit(`if (${b} === 0) ${SLOW}`)
      return `${a} % ${b}`
    case 'negate':
      return `-${a}`
    default:
      return `Math.abs(${a})`
  }
}

/** Arithmetic of safe integers: a rounded result beyond them never rounds back to a safe one. */
function longArithmetic(node: ExpressionNode, a: string, b: string, out: CodeBuffer): string {
  switch (node.op) {
    case 'plus':
      return out.checkSafe(`${a} + ${b}`)
    case 'minus':
      return out.checkSafe(`${a} - ${b}`)
    case 'times':
      return out.checkSafe(`${a} * ${b}`)
    case 'divide':
      out.emit(`if (${b} === 0) ${SLOW}`)
      // Exact: a quotient of safe integers is at least half a unit in the last place away from the next integer.
      return `Math.trunc(${a} / ${b})`
    case 'modulo':
      out.emit(`if (${b} === 0) ${SLOW}`)
      return `${a} % ${b}`
    case 'negate':
      return `-${a}`
    default:
      return `Math.abs(${a})`
  }
}

function casting(node: ExpressionNode, a: Code, out: CodeBuffer): Code {
  const { kind } = node.type
  const value = (expression: string): Code => ({ kind, missing: '', value: out.let(expression) })
  const string = (expression: string): Code => ({ kind, missing: '', text: out.let(expression) })
  switch (node.op) {
    case 'toInt32': {
      if (a.kind === 'int64' && a.value === undefined) {
        out.emit(`if (${a.high} !== ${a.low} >> 31) ${SLOW}`)
        return value(a.low as string)
      }
      const name = out.let(a.kind === 'text' ? `h.parseInteger(${out.text(a)})` : `Math.trunc(${a.value})`)
      out.emit(`if (${name} !== (${name} | 0)) ${SLOW}`)
      return value(`${name} | 0`)
    }
    case 'toInt64':
      if (a.kind === 'text') return value(parsed('parseLong', a, out))
      return value(out.checkSafe(`Math.trunc(${a.value})`))
    case 'toFloat64':
      if (a.kind === 'decimal') return value(`Number(${out.text(a)})`)
      if (a.kind === 'text') return value(notNull(`h.parseFloat64(${out.text(a)})`, out))
      // Adding 0 turns -0, which int64 does not have, into 0.
      return value(`${out.approximate(a)} + 0`)
    case 'toTimestamp':
      if (a.kind === 'text') return value(parsed('parseTimestamp', a, out))
      if (a.value !== undefined) return { ...a, kind }
      out.emit(`if (${a.low} === 0 && ${a.high} === -2147483648) ${SLOW}`)
      return { ...a, kind }
    case 'toDecimal':
      return string(notNull(`h.parseDecimal(${textOf(a, out)})`, out))
    default:
      return string(a.kind === 'timestamp' ? notNull(`h.timestampText(${longOf(a)})`, out) : textOf(a, out))
  }
}

function notNull(expression: string, out: CodeBuffer): string {
  const name = out.let(expression)
  out.emit(`if (${name} === null) ${SLOW}`)
  return name
}

/** A bigint or null from text, as a safe integer. */
function parsed(parser: string, a: Code, out: CodeBuffer): string {
  return out.checkSafe(`Number(${notNull(`h.${parser}(${out.text(a)})`, out)})`)
}

function longOf(a: Code): string {
  return a.value === undefined ? `h.longOf(${a.low}, ${a.high})` : `BigInt(${a.value})`
}

function textOf(a: Code, out: CodeBuffer): string {
  if (a.kind === 'text') return out.text(a)
  return a.value === undefined ? `h.longText(${a.low}, ${a.high})` : `String(${a.value})`
}
