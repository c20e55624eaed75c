import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvDecoder } from '../../../connectors/file/csv.ts'
import { array, bool, bytes, decimal, float64, int32, int64, json, nullable, text, timestamp } from '../../../runtime/data/column-type.ts'
import { batchOf, decodeOne, summary } from './decode-helpers.ts'

const columns = { id: int32, name: nullable(text) }

describe('CSV', () => {
  it('maps columns by the header, with operations', () => {
    const decoder = csvDecoder({ columns, key: 'id' })
    const lines = ['a,1,', '"b, ""c""",2,upsert\r', ',3,', '"",4,', ',2,delete', '', 'x,y,', 'x,1', 'x,1,drop', 'x"y,1,', '"x"y,1,']
    expect(summary(decoder.decode(batchOf(lines, { header: 'name,id,op\r', from: 2 })))).toEqual({
      rows: [
        [2, 'upsert', { id: 1, name: 'a' }],
        [3, 'upsert', { id: 2, name: 'b, "c"' }],
        [4, 'upsert', { id: 3, name: null }],
        [5, 'upsert', { id: 4, name: '' }],
        [6, 'delete', { id: 2 }],
      ],
      bad: [
        [8, 'column "id": y is not a whole number'],
        [9, 'the line has 2 fields, the header 3'],
        [10, 'unknown operation "drop" (upsert, delete)'],
        [11, 'field 1 has a quote inside and is not quoted'],
        [12, 'field 1 goes on behind its closing quote: "y,1,"'],
      ],
    })
  })

  it('all types', () => {
    const all = { i: int32, l: int64, f: float64, b: bool, d: decimal, t: timestamp, y: bytes, j: json(), a: array(int32) }
    const decoder = csvDecoder({ columns: all, delimiter: ';' })
    const line = '-7;9007199254740993;1.5e3;T;1.10;2026-01-31T12:30:00.000001Z;YQ==;"{""a"":1}";[1,2]'
    expect(decodeOne(decoder, line, 'i;l;f;b;d;t;y;j;a')).toEqual({
      i: -7,
      l: 9007199254740993n,
      f: 1500,
      b: true,
      d: '1.10',
      t: 1769862600000001n,
      y: new Uint8Array([97]),
      j: { a: 1 },
      a: [1, 2],
    })
    for (const [type, field, message] of [
      [int32, '2147483648', 'range'],
      [int32, '', 'empty field'],
      [float64, 'NaN', 'not a number'],
      [float64, '1e999', 'range'],
      [bool, 'yes', 'not a bool'],
      [timestamp, '2026-01-31T12:30:00', 'neither Z'],
      [array(int32), '[1]x', 'malformed'],
      [json(), '{', 'malformed'],
      [bytes, 'Y', 'base64'],
    ] as const) {
      expect(decodeOne(csvDecoder({ columns: { a: int32, v: type } }), `1,${field}`, 'a,v')).toContain(message)
    }
    expect(decodeOne(csvDecoder({ columns: { v: timestamp } }), '-1', 'v')).toEqual({ v: -1n })
  })

  it('quoted line ends, also across batches; resume stays before an open record', () => {
    const decoder = csvDecoder({ columns })
    const first = decoder.decode(batchOf(['1,a', '2,"b', 'still b'], { header: 'id,name', from: 2 }))
    expect(summary(first).rows).toEqual([[2, 'insert', { id: 1, name: 'a' }]])
    expect(first.resume).toMatchObject({ line: 3, offset: 1004, tailBytes: 0 })
    const second = decoder.decode(batchOf(['end\r', 'of ""b""",', '3,"c\r', 'c"', '4,d'], { header: 'id,name', from: 5 }))
    expect(summary(second)).toEqual({
      rows: [
        [7, 'insert', { id: 3, name: 'c\r\nc' }],
        [9, 'insert', { id: 4, name: 'd' }],
      ],
      bad: [
        [3, 'the line has 3 fields, the header 2'],
        [4, 'the line has 1 fields, the header 2'],
        [5, 'the line has 1 fields, the header 2'],
        [6, 'field 1 has a quote inside and is not quoted'],
      ],
    })
    expect(second.resume.line).toBe(10)
  })

  it('a stray quote makes one line bad', () => {
    const decoder = csvDecoder({ columns: { id: int32, n: int32, t: text } })
    const lines = ['"1,2,a', '2,"3,b', '3,4,"c', '4,5,d', '5,6,"e"', '6,7,f']
    expect(summary(decoder.decode(batchOf(lines, { header: 'id,n,t', from: 2 })))).toEqual({
      rows: [
        [5, 'insert', { id: 4, n: 5, t: 'd' }],
        [6, 'insert', { id: 5, n: 6, t: 'e' }],
        [7, 'insert', { id: 6, n: 7, t: 'f' }],
      ],
      bad: [
        [2, 'field 1 opens a quote and does not close it'],
        [3, 'field 2 opens a quote and does not close it'],
        [4, expect.stringContaining('field 3 goes on behind its closing quote')],
      ],
    })
  })

  it('a quote that never closes is bounded, and given up at the end of its file', () => {
    const decoder = csvDecoder({ columns })
    const lines = ['1,"open', ...Array.from({ length: 1500 }, (_, i) => `${i},x`)]
    const first = summary(decoder.decode(batchOf(lines, { header: 'id,name', from: 2 })))
    expect(first.bad).toEqual([[2, 'a quoted field is still open after 1000 lines']])
    expect(first.rows.length).toBe(1500)
    expect(summary(decoder.decode(batchOf(['7,"open', '8,y'], { header: 'id,name', from: 1503 }))).rows).toEqual([])
    const next = decoder.decode(batchOf(['9,z'], { header: 'name,id', from: 2, generation: 1 }))
    expect(summary(next).bad).toEqual([
      [1503, 'a quoted field is still open at the end of the file'],
      [2, 'column "id": z is not a whole number'],
    ])
    expect(summary(next).rows).toEqual([[1504, 'insert', { id: 8, name: 'y' }]])
  })

  it('a record does not go on behind a line that cannot be read', () => {
    const decoder = csvDecoder({ columns })
    const batch = batchOf(['1,"a', 'b"', '2,c'], { header: 'id,name', from: 2 })
    const gap = { ...batch, lineNumbers: [2, 4, 5] }
    expect(summary(decoder.decode(gap)).bad.map(([line]) => line)).toEqual([2, 4])
  })

  it('wrong headers are reported once and for each line that they cost', () => {
    for (const [header, message] of [
      ['id,nam', 'unknown column "nam" (columns: id, name). Did you mean "name"?'],
      ['id,id', 'column "id" is given twice'],
      ['name', 'column "id" is missing'],
      ['"id', 'field 1 opens a quote'],
    ]) {
      const { rows, bad } = summary(csvDecoder({ columns }).decode(batchOf(['1,a', '2,b'], { header, from: 2 })))
      expect(rows).toEqual([])
      expect(bad.map(([line]) => line)).toEqual([1, 2, 3])
      for (const [, found] of bad) expect(found).toContain(message)
    }
    expect(summary(csvDecoder({ columns }).decode(batchOf(['1,a'], { from: 2 }))).bad).toEqual([
      [2, 'the file has no header line that could be read'],
    ])
    expect(decodeOne(csvDecoder({ columns }), '5', 'id')).toEqual({ id: 5, name: null })
    expect(decodeOne(csvDecoder({ columns, header: ['name', 'id'] }), 'a,1')).toEqual({ id: 1, name: 'a' })
    expect(() => csvDecoder({ columns, delimiter: '"' })).toThrow('delimiter')
  })

  it('gives back any rows that are written by the rules, however the lines are cut into batches', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.option(fc.stringMatching(/^[a-c",\n\r ]{0,6}$/))), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }),
        (rows, cuts) => {
          const field = (value: string | null): string => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)
          const lines = rows.flatMap(([id, name]) => `${id},${field(name)}`.split('\n'))
          const decoder = csvDecoder({ columns })
          const got: unknown[] = []
          for (let at = 0, i = 0; at < lines.length; i++) {
            const cut = lines.slice(at, at + cuts[i % cuts.length])
            const { rows: decoded, bad } = decoder.decode(batchOf(cut, { header: 'id,name', from: at + 2 }))
            expect(bad).toEqual([])
            got.push(...decoded.map(({ row }) => [row.id, row.name]))
            at += cut.length
          }
          expect(got).toEqual(rows)
        },
      ),
      { numRuns: 500 },
    ))
})
