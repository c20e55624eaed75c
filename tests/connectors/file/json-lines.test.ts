import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonLinesDecoder } from '../../../connectors/file/json-lines.ts'
import * as types from '../../../runtime/data/column-type.ts'
import { batchOf, decodeOne, summary } from './decode-helpers.ts'

const { int32, int64, float64, bool, text, timestamp, decimal, bytes, json, array, nullable } = types

/** Decodes `{"v": <source>}` with one column of the type. */
const value = (type: types.ColumnType, source: string): unknown => {
  const result = decodeOne(jsonLinesDecoder({ columns: { v: type } }), `{"v": ${source}}`)
  return typeof result === 'string' ? `bad: ${result}` : (result as { v: unknown }).v
}
const refused = (type: types.ColumnType, sources: readonly string[], message: RegExp): void => {
  for (const source of sources) expect(value(type, source), source).toMatch(message)
}

describe('values', () => {
  it('int32', () => {
    expect([value(int32, '-2147483648'), value(int32, '2147483647'), value(int32, '-0')]).toEqual([-2147483648, 2147483647, 0])
    refused(int32, ['2147483648', '-2147483649', '1e20', '99999999999999999999'], /^bad: column "v": .*(range|whole)/)
    refused(int32, ['1.5', '1e3', '1.0'], /whole number/)
    refused(int32, ['"1"', 'true', '[1]', '{}', 'null'], /^bad: column "v": .*int32/)
    refused(int32, ['NaN', '01', '+1', '.5', 'Infinity', '-'], /^bad: malformed JSON/)
  })

  it('int64 is exact, from numbers and strings', () => {
    for (const digits of ['9007199254740993', '-9223372036854775808', '9223372036854775807', '0']) {
      expect(value(int64, digits)).toBe(BigInt(digits))
      expect(value(int64, `"${digits}"`)).toBe(BigInt(digits))
    }
    refused(int64, ['9223372036854775808', '-9223372036854775809', '1'.repeat(1000), '"18446744073709551616"'], /out of the range of int64/)
    refused(int64, ['1.5', '"1x"', '""', '"0x10"', '" 1"'], /whole number/)
  })

  it('float64', () => {
    expect([value(float64, '1.5e3'), Object.is(value(float64, '-0.0'), -0), value(float64, '5e-324')]).toEqual([1500, true, 5e-324])
    refused(float64, ['1e999', '-1e309'], /out of the range of float64/)
    refused(float64, ['NaN', '-Infinity'], /malformed JSON/)
    refused(float64, ['"NaN"', '"1.5"'], /not of type float64/)
  })

  it('bool and text', () => {
    expect([value(bool, 'true'), value(bool, 'false')]).toEqual([true, false])
    refused(bool, ['1', '"true"'], /not of type bool/)
    expect(value(text, '"a\\n\\u00e9\\ud83e\\udd80\\"/\\/"')).toBe('a\né\u{1f980}"//')
    expect(value(text, '"\\\\ud800"')).toBe('\\ud800')
    expect(value(text, '"a long text of more than thirteen characters"')).toBe('a long text of more than thirteen characters')
    refused(text, ['"\\ud800"', '"x\\udc00y"', '"\\udc00\\ud800"'], /surrogate/)
    refused(text, ['"\\x"', '"\\u12"', '"tab\there"', '"open', '"open\\"'], /malformed JSON/)
    refused(text, ['1', '{}'], /not of type text/)
  })

  it('decimal keeps its digits', () => {
    expect(['1.10', '"1.10"', '-0.050', '123456789012345678901234567890'].map((s) => value(decimal, s))).toEqual([
      '1.10',
      '1.10',
      '-0.050',
      '123456789012345678901234567890',
    ])
    expect(['1.5e3', '-12.34e1', '1.5E-3', '1e0', '0e5', '12e-2', '1.23456e2'].map((s) => value(decimal, s))).toEqual([
      '1500',
      '-123.4',
      '0.0015',
      '1',
      '0',
      '0.12',
      '123.456',
    ])
    refused(decimal, ['1e1001', '1e-99999999'], /exponent/)
    refused(decimal, ['"abc"', '"1,5"', '""', '"NaN"'], /not a decimal/)
  })

  it('timestamp: microseconds, ISO 8601', () => {
    const at = (s: string): unknown => value(timestamp, `"${s}"`)
    expect(at('2026-01-31T12:30:00.123456Z')).toBe(1769862600123456n)
    expect(at('2026-01-31T14:30:00.123456+02:00')).toBe(1769862600123456n)
    expect(at('2026-01-31 07:00:00.1234560-0530')).toBe(1769862600123456n)
    expect(at('2026-01-31T12:30Z')).toBe(1769862600000000n)
    expect(at('1969-12-31T23:59:59.999999Z')).toBe(-1n)
    expect(at('2024-02-29')).toBe(1709164800000000n)
    expect(at('0001-01-01T00:00:00Z')).toBe(-62135596800000000n)
    expect(at('-000001-01-01T00:00:00Z')).toBe(BigInt(Date.UTC(-1, 0, 1)) * 1000n)
    expect(value(timestamp, '1769862600123456')).toBe(1769862600123456n)
    refused(timestamp, ['"2026-01-31T12:30:00"'], /neither Z nor an offset/)
    refused(
      timestamp,
      ['"2026-02-29"', '"2026-13-01"', '"2026-01-01T24:00:00Z"', '"2026-01-01T00:00:60Z"', '"2100-02-29"'],
      /there is no time/,
    )
    refused(timestamp, ['"2026-01-01T00:00:00.1234567Z"'], /finer than a microsecond/)
    refused(timestamp, ['"yesterday"', '"1769862600123456"', '""', '"2026-1-1"'], /not a timestamp/)
    refused(timestamp, ['1.5', '-9223372036854775808', '99999999999999999999'], /whole|range/)
    refused(timestamp, ['"+999999-01-01T00:00:00Z"'], /out of range/)
  })

  it('timestamp agrees with the host to the millisecond', () =>
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), fc.integer({ min: 0, max: 999 }), (date, micros) => {
        const written = date.toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`)
        expect(value(timestamp, `"${written}"`)).toBe(BigInt(date.getTime()) * 1000n + BigInt(micros))
      }),
    ))

  it('bytes are strict base64', () =>
    fc.assert(
      fc.property(fc.uint8Array(), (raw) => {
        expect(value(bytes, `"${Buffer.from(raw).toString('base64')}"`)).toEqual(new Uint8Array(raw))
      }),
    ))
  it('bytes that are not base64', () =>
    refused(bytes, ['"YQ"', '"YR=="', '"Y-=="', '"YQ==\\n"', '"=QQQ"', '"é==="', '1'], /base64|type bytes/))

  it('json', () => {
    expect(value(json(), '{"a": [1, {"b": null}], "__proto__": 1}')).toEqual(JSON.parse('{"a": [1, {"b": null}], "__proto__": 1}'))
    expect(value(json(), 'null')).toBe(null)
    refused(json(), ['{"a": "\\ud800"}', '{"\\udfff": 1}'], /surrogate/)
    refused(json(), ['[1e999]'], /out of the range/)
    refused(json(), ['[1 2]', '{"a"}', '[}', '{"a":1,}', '[1,]', '[NaN]'], /malformed JSON/)
    refused(json(), [`${'['.repeat(300)}${']'.repeat(300)}`, '['.repeat(100_000)], /nested deeper/)
  })

  it('json is any JSON', () =>
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (any) => {
        expect(value(json(), JSON.stringify(any, null, 1).replaceAll('\n', ' '))).toEqual(JSON.parse(JSON.stringify(any)))
      }),
    ))

  it('arrays and null', () => {
    expect(value(array(int64), '[1, "2", 9007199254740993]')).toEqual([1n, 2n, 9007199254740993n])
    expect(value(array(array(nullable(text))), '[[], ["a", null]]')).toEqual([[], ['a', null]])
    expect(value(nullable(int32), 'null')).toBe(null)
    expect(value(nullable(json()), 'null')).toBe(null)
    refused(array(int32), ['[1, null]', '[1, "a"]', '1'], /int32/)
    refused(array(int32), ['[1,]', '[1 2]', '[1'], /malformed JSON/)
  })
})

describe('lines', () => {
  const keyed = jsonLinesDecoder({ columns: { id: int32, name: text, note: nullable(text) }, key: 'id' })
  const plain = jsonLinesDecoder({ columns: { id: int32 } })

  it('operations of keyed tables and of plain collections', () => {
    const lines = [
      '{"id":1,"name":"a"}',
      ' {"name":"b","op":"upsert","note":"n","id":2} \r',
      '{"op":"delete","id":2}',
      '{"op":"delete","name":"a"}',
      '{"op":"insert","id":3,"name":"c"}',
      '   ',
      '{"op":7,"id":3,"name":"c"}',
    ]
    expect(summary(keyed.decode(batchOf(lines)))).toEqual({
      rows: [
        [1, 'upsert', { id: 1, name: 'a', note: null }],
        [2, 'upsert', { id: 2, name: 'b', note: 'n' }],
        [3, 'delete', { id: 2 }],
      ],
      bad: [
        [4, 'column "id" is missing'],
        [5, 'unknown operation "insert" (upsert, delete)'],
        [7, 'unknown operation "7" (upsert, delete)'],
      ],
    })
    expect(summary(plain.decode(batchOf(['{"id":1}', '{"op":"remove","id":1}', '{"op":"delete","id":1}'])))).toEqual({
      rows: [
        [1, 'insert', { id: 1 }],
        [2, 'remove', { id: 1 }],
      ],
      bad: [[3, 'unknown operation "delete" (insert, remove)']],
    })
  })

  it('bad lines say what and where, and keep no others away', () => {
    const lines = [
      'nonsense',
      '{"id":1}',
      '{"id":1',
      '{"id":1}x',
      '{"iD":1}',
      '{"id":1,"id":2}',
      '[1]',
      '{}',
      '{"id":1,}',
      '{"id":2}',
      '{1:2}',
      '"',
      '{"op":"insert","op":"insert","id":1}',
    ]
    const { rows, bad } = summary(plain.decode(batchOf(lines, { from: 10 })))
    expect(rows).toEqual([
      [11, 'insert', { id: 1 }],
      [19, 'insert', { id: 2 }],
    ])
    expect(bad).toEqual([
      [10, `malformed JSON: at character 1 a value was expected, but there is "nonsense"`],
      [12, `malformed JSON: at character 8 '}' was expected, but the line ends`],
      [13, `malformed JSON: at character 9 the end of the line was expected, but there is "x"`],
      [14, 'unknown column "iD" (columns: id). Did you mean "id"?'],
      [15, 'column "id" is given twice'],
      [16, 'the line is not a JSON object'],
      [17, 'column "id" is missing'],
      [18, `malformed JSON: at character 9 a field name in quotes was expected, but there is "}"`],
      [20, `malformed JSON: at character 2 a field name in quotes was expected, but there is "1:2}"`],
      [21, `malformed JSON: at character 2 the end of a string was expected, but the line ends`],
      [22, '"op" is given twice'],
    ])
    const long = plain.decode(batchOf([`{"id":"${'x'.repeat(1_000_000)}"}`]))
    expect(long.bad[0].excerpt.length).toBe(120)
    expect(long.bad[0].message.length).toBeLessThan(120)
  })

  it('a value of one line never shows in another', () => {
    expect(
      summary(keyed.decode(batchOf(['{"id":1,"name":"a","note":"n"}', '{"id":2,"name":"b","note":"m"', '{"id":3}', '{"id":4,"name":"d"}'])))
        .rows,
    ).toEqual([
      [1, 'upsert', { id: 1, name: 'a', note: 'n' }],
      [4, 'upsert', { id: 4, name: 'd', note: null }],
    ])
  })

  it('never throws, and takes exactly what JSON.parse takes', () => {
    const decoder = jsonLinesDecoder({ columns: { v: json() }, operationField: null })
    const source = JSON.stringify({ v: { a: [1, -2.5e3, 'x\\"y', true, null], b: {} } })
    const mutation = fc.record({ at: fc.nat(source.length), cut: fc.nat(3), insert: fc.stringMatching(/^[{}[\],:"\\0-9eE.+\-a-u ]{0,3}$/) })
    fc.assert(
      fc.property(mutation, ({ at, cut, insert }) => {
        const line = source.slice(0, at) + insert + source.slice(at + cut)
        let parsed: unknown
        try {
          parsed = JSON.parse(line)
        } catch {
          parsed = undefined
        }
        const { rows, bad } = decoder.decode(batchOf([line]))
        const ok = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) && Object.keys(parsed).join() === 'v'
        if (!ok) expect([rows.length, line.trim() === '' ? 1 : bad.length]).toEqual([0, 1])
        else if (rows.length === 1) expect(rows[0].row).toEqual(parsed)
        else expect(bad[0].message).toMatch(/twice|range/)
      }),
      { numRuns: 3000 },
    )
  })

  it('options that contradict are refused at once', () => {
    expect(() => jsonLinesDecoder({ columns: { op: int32 } })).toThrow('both a column and the field of the operation')
    expect(() => jsonLinesDecoder({ columns: { a: int32 }, key: 'b' })).toThrow('no key column "b"')
    expect(decodeOne(jsonLinesDecoder({ columns: { op: int32 }, operationField: null }), '{"op":1}')).toEqual({ op: 1 })
  })
})
