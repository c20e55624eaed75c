import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileFilterProjection, compilePredicate, compileProjection } from '../../operators/expression/compile.ts'
import { Expression } from '../../operators/expression/expression.ts'
import { greatest, least, literal, when } from '../../operators/expression/functions.ts'
import { columnNode, type ExpressionNode } from '../../operators/expression/node.ts'
import { BatchPool } from '../../runtime/data/batch.ts'
import type { ColumnType, Kind } from '../../runtime/data/column-type.ts'
import { bool, decimal, float64, int32, int64, nullable, text, timestamp } from '../../runtime/data/column-type.ts'
import { forceGeneration } from '../../runtime/data/kernel.ts'
import { Schema } from '../../runtime/data/schema.ts'
import { model, NoResult } from './model.ts'
import { batchOf, type Row, rowsOf, soil, TestTexts } from './rows.ts'

const TYPES = { int32, int64, float64, bool, text, timestamp, decimal }
type TestKind = keyof typeof TYPES
const KINDS = Object.keys(TYPES) as TestKind[]

// Two columns of each kind, one of them nullable: i, iN, l, lN ...
const schema = new Schema(
  Object.fromEntries(
    KINDS.flatMap((kind) => [
      [kind, TYPES[kind] as ColumnType],
      [`${kind}N`, nullable(TYPES[kind] as ColumnType)],
    ]),
  ),
)

const bigs = (least: bigint) =>
  fc.oneof(
    fc.bigInt(-5n, 5n),
    fc.bigInt(-(2n ** 40n), 2n ** 40n),
    fc.constantFrom(
      2n ** 53n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
      -(2n ** 53n),
      -(2n ** 53n) - 1n,
      2n ** 52n,
      2n ** 31n,
      -(2n ** 31n) - 1n,
      2n ** 63n - 1n,
      least,
    ),
    fc.bigInt(least, 2n ** 63n - 1n),
  )

const values: Record<TestKind, fc.Arbitrary<Row[number]>> = {
  int32: fc.oneof(fc.integer({ min: -4, max: 4 }), fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 46341, 65536)),
  int64: bigs(-(2n ** 63n)),
  float64: fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.double(),
    fc.constantFrom(0.5, -0.5, 2.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2 ** 63, -(2 ** 63), 1e300),
  ),
  bool: fc.boolean(),
  text: fc.oneof(
    fc.constantFrom(
      '',
      'a',
      'A',
      'ab',
      'Rimini',
      'ß',
      '\ud83d\ude00',
      '\uffee',
      'a\ud83d\ude00b',
      ' 12 ',
      '-7',
      '+1.5e3',
      '99999999999',
      '9223372036854775808',
      'NaN',
      '2024-02-30',
      '2024-02-29T23:59:59.123456Z',
      '007.50',
      '.5',
      '-0.0',
    ),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
  ),
  timestamp: bigs(-(2n ** 63n) + 1n),
  decimal: fc.constantFrom(
    '0',
    '0.00',
    '1',
    '1.0',
    '1.00',
    '-1.5',
    '-1.50',
    '10.25',
    '9.999',
    '-0.001',
    '123456789012345678901234567890.1',
  ),
}

type AnyExpression = Expression<unknown, Kind>
// The methods without their types: this test chooses kinds at run time.
type Methods = Record<string, (...args: unknown[]) => AnyExpression>
const methods = (e: AnyExpression) => e as unknown as Methods

const call = (name: string, self: fc.Arbitrary<AnyExpression>, ...others: fc.Arbitrary<unknown>[]) =>
  fc.tuple(self, ...others).map(([e, ...rest]) => (methods(e as AnyExpression)[name] as Methods[string]).call(e, ...rest))

const column = (kind: TestKind) =>
  fc.boolean().map((isNull) => {
    const name = isNull ? `${kind}N` : kind
    return new Expression(columnNode(name, schema.types[schema.indexOf(name)] as ColumnType)) as AnyExpression
  })

const constant = (kind: TestKind) =>
  fc
    .oneof({ weight: 8, arbitrary: values[kind] }, { weight: 1, arbitrary: fc.constant(null) })
    .map((value) => literal(value as never, TYPES[kind] as ColumnType) as AnyExpression)

const memo = new Map<string, fc.Arbitrary<AnyExpression>>()

function expression(kind: TestKind, depth: number): fc.Arbitrary<AnyExpression> {
  const key = `${kind}${depth}`
  let made = memo.get(key)
  if (made === undefined) {
    made = make(kind, depth)
    memo.set(key, made)
  }
  return made
}

function make(kind: TestKind, depth: number): fc.Arbitrary<AnyExpression> {
  const leaves = [column(kind), column(kind), constant(kind)]
  if (depth === 0) return fc.oneof(...leaves)
  const e = (k: TestKind) => expression(k, depth - 1)
  const options: fc.Arbitrary<AnyExpression>[] = [
    ...leaves,
    call('orElse', e(kind), e(kind)),
    fc.tuple(e('bool'), e(kind), e(kind)).map(([c, a, b]) => when(c as Expression<boolean, 'bool'>, a, b as never) as AnyExpression),
    fc.tuple(e(kind), e(kind)).map(([a, b]) => least(a as never, b as never) as AnyExpression),
    fc.tuple(e(kind), e(kind)).map(([a, b]) => greatest(a as never, b as never) as AnyExpression),
  ]
  if (kind === 'int32' || kind === 'int64' || kind === 'float64') {
    for (const op of ['plus', 'minus', 'times', 'divide', 'modulo']) {
      options.push(call(op, e(kind), e(kind)))
      if (kind !== 'int32') options.push(call(op, e('int32'), e(kind)), call(op, e(kind), e('int32')))
    }
    for (const op of ['negate', 'abs']) options.push(call(op, e(kind)))
  }
  switch (kind) {
    case 'bool':
      for (const k of KINDS) {
        for (const op of ['eq', 'ne', 'lt', 'le', 'gt', 'ge']) options.push(call(op, e(k), e(k)))
        for (const op of ['isNull', 'isNotNull']) options.push(call(op, e(k)))
      }
      for (let weight = 0; weight < 6; weight++)
        options.push(call('and', e('bool'), e('bool')), call('or', e('bool'), e('bool')), call('not', e('bool')))
      for (const op of ['startsWith', 'endsWith', 'contains']) options.push(call(op, e('text'), e('text')))
      options.push(call('eq', e('int32'), e('int64')), call('lt', e('int64'), e('float64')))
      break
    case 'int32':
      options.push(call('length', e('text')))
      for (const k of ['int64', 'float64', 'text'] as const) options.push(call('toInt32', e(k)))
      break
    case 'int64':
      for (const k of ['int32', 'float64', 'text', 'timestamp'] as const) options.push(call('toInt64', e(k)))
      options.push(call('minus', e('timestamp'), e('timestamp')))
      break
    case 'float64':
      for (const k of ['int32', 'int64', 'text', 'decimal'] as const) options.push(call('toFloat64', e(k)))
      for (const op of ['floor', 'ceil', 'round']) options.push(call(op, e('float64')))
      break
    case 'text':
      for (const k of KINDS) options.push(call('toText', e(k)))
      for (const op of ['lower', 'upper']) options.push(call(op, e('text')))
      options.push(
        call('concat', e('text'), e('text')),
        call('slice', e('text'), e('int32')),
        call('slice', e('text'), e('int32'), e('int32')),
      )
      break
    case 'timestamp':
      for (const op of ['plus', 'minus']) options.push(call(op, e('timestamp'), e('int64')), call(op, e('timestamp'), e('int32')))
      options.push(call('truncate', e('timestamp'), fc.constantFrom('second', 'minute', 'hour', 'day', 'week')))
      for (const k of ['int64', 'text'] as const) options.push(call('toTimestamp', e(k)))
      break
    case 'decimal':
      for (const k of ['int32', 'int64', 'text'] as const) options.push(call('toDecimal', e(k)))
  }
  return fc.oneof(...options)
}

const row = fc.tuple(
  ...schema.types.map((type) => (type.nullable ? fc.option(values[type.kind as TestKind], { freq: 3 }) : values[type.kind as TestKind])),
)
const anyExpression = fc.constantFrom(...KINDS).chain((kind) => expression(kind, 3))

interface Outcome {
  readonly rows: unknown[]
  readonly differences: number[]
  readonly errors: [number, string][]
}

/** Results by the model; errors without their messages. */
function byModel(predicate: ExpressionNode | null, expressions: readonly AnyExpression[], rows: readonly Row[]): Outcome {
  const outcome: Outcome = { rows: [], differences: [], errors: [] }
  rows.forEach((values, i) => {
    const named = Object.fromEntries(schema.names.map((name, c) => [name, values[c] as Row[number]]))
    try {
      if (predicate !== null && model(predicate, named) !== true) return
      outcome.rows.push(expressions.map((e) => model(e.node, named)))
      outcome.differences.push(i + 1)
    } catch (error) {
      if (!(error instanceof NoResult)) throw error
      outcome.errors.push([i, ''])
    }
  })
  return outcome
}

function byRun(predicate: AnyExpression | null, expressions: readonly AnyExpression[], rows: readonly Row[], generated: boolean): Outcome {
  forceGeneration(generated)
  try {
    const texts = new TestTexts()
    texts.intern('so that ids are not positions')
    const input = batchOf(schema, rows, texts)
    const types = expressions.map((e) => e.type as ColumnType)
    const output = soil(new BatchPool(types.map((type) => type.width)).take(0, 16))
    const errors: [number, string][] = []
    const onError = (at: number, message: string) => errors.push([at, message])
    const projection = predicate === null ? compileProjection(expressions, schema) : compileFilterProjection(predicate, expressions, schema)
    const middle = rows.length >> 1
    projection.run(input, input, 0, middle, output, texts, onError)
    projection.run(input, input, middle, rows.length, output, texts, onError)
    return { rows: rowsOf(types, output, texts), differences: Array.from(output.differences.slice(0, output.n)), errors }
  } finally {
    forceGeneration(undefined)
  }
}

const withoutMessages = (outcome: Outcome): Outcome => ({ ...outcome, errors: outcome.errors.map(([at]) => [at, '']) })
const RUNS = Number(process.env.EXPRESSION_RUNS ?? 2000)

describe('compiled, interpreted and modelled expressions agree', () => {
  test('projections', () => {
    fc.assert(
      fc.property(
        fc.array(anyExpression, { minLength: 1, maxLength: 3 }),
        fc.array(row, { minLength: 1, maxLength: 12 }),
        (expressions, rows) => {
          const compiled = byRun(null, expressions, rows, true)
          expect(compiled).toEqual(byRun(null, expressions, rows, false))
          expect(withoutMessages(compiled)).toEqual(byModel(null, expressions, rows))
        },
      ),
      { numRuns: RUNS },
    )
  }, 60_000)

  test('filters fused with projections', () => {
    fc.assert(
      fc.property(expression('bool', 3), anyExpression, fc.array(row, { minLength: 1, maxLength: 12 }), (predicate, e, rows) => {
        const compiled = byRun(predicate, [e], rows, true)
        expect(compiled).toEqual(byRun(predicate, [e], rows, false))
        expect(withoutMessages(compiled)).toEqual(byModel(predicate.node, [e], rows))
      }),
      { numRuns: RUNS },
    )
  }, 60_000)

  test('predicates', () => {
    fc.assert(
      fc.property(expression('bool', 3), fc.array(row, { minLength: 1, maxLength: 12 }), (predicate, rows) => {
        const texts = new TestTexts()
        const input = batchOf(schema, rows, texts)
        const expected = byModel(predicate.node, [], rows)
        for (const generated of [true, false]) {
          forceGeneration(generated)
          const selection = new Int32Array(rows.length)
          const failed: number[] = []
          const n = compilePredicate(predicate, schema).run(input, 0, rows.length, selection, texts, (at) => failed.push(at))
          forceGeneration(undefined)
          expect(Array.from(selection.slice(0, n), (i) => i + 1)).toEqual(expected.differences)
          expect(failed).toEqual(expected.errors.map(([at]) => at))
        }
      }),
      { numRuns: RUNS },
    )
  }, 60_000)

  test('nodes survive JSON', () => {
    fc.assert(
      fc.property(anyExpression, fc.array(row, { minLength: 1, maxLength: 4 }), (e, rows) => {
        const copy = new Expression(JSON.parse(JSON.stringify(e.node)) as ExpressionNode) as AnyExpression
        expect(byRun(null, [copy], rows, true)).toEqual(byRun(null, [e], rows, true))
      }),
      { numRuns: RUNS / 4 },
    )
  }, 60_000)
})
