/** Mistakes in a job's definition throw where they are made, and say what to write instead; also in plain JavaScript, without types. */
import { describe, expect, test } from 'vitest'
import * as millrace from '../../millrace.ts'
import { refused } from './refused.ts'

// biome-ignore lint/suspicious/noExplicitAny: what types forbid is what is tested
type Any = any
const { job, table, stream, int32, text, timestamp, count, sum } = millrace as Any

const made = (define: (t: Any, u: Any) => unknown, columns: object = { k: int32, at: timestamp }) =>
  job('j', { t: table(columns), u: table({ k: text }) }, ({ t, u }: Any) => ({ x: define(t, u) }))

describe('jobs', () => {
  const wrong: [string, () => unknown, string][] = [
    [
      'without outputs',
      () => job('j', {}, () => undefined),
      'What the function returns are no outputs by name. | Return an object of collections',
    ],
    ['one collection', () => job('j', { t: table({ k: int32 }) }, ({ t }: Any) => t), 'What the function returns are no outputs by name.'],
    ['a promise', () => job('j', {}, async () => ({})), 'What the function returns are no outputs by name.'],
    [
      'a number as output',
      () => made(() => 5),
      'Output "x" is no collection. | Return collections, what keyBy(), changelog() or probe() gives',
    ],
    ['groups as output', () => made((t) => t.groupBy('k')), 'Output "x" is no collection.'],
    ['no function', () => job('j', {}), 'A job is a name, inputs, and a function. | Write job('],
    ['no name', () => job(), 'A job is a name, inputs, and a function.'],
    ['bare columns', () => job('j', { t: { k: int32 } }, () => ({})), 'Input "t" is no table and no stream. | Write table({ ... }).'],
    ['an unknown input', () => job('j', { t: table({ k: int32 }) }, ({ tt }: Any) => ({ tt })), 'UNKNOWN_NAME There is no input "tt" (t).'],
    [
      'the inside of a loop',
      () =>
        made((t) => {
          let inside: unknown
          t.iterate((v: Any) => {
            inside = v
            return v
          })
          return inside
        }),
      'Output "x" is inside a loop. | Return what iterate() gives.',
    ],
    [
      'another job',
      () => {
        let other: Any
        job('a', { there: table({ k: text }) }, ({ there }: Any) => {
          other = there
          return { there }
        })
        return made((_, u) => u.concat(other))
      },
      'Output "x" reads "there", an input of another job. | Make it an input of this job.',
    ],
    ['nothing to embed', () => (millrace.embed as Any)(undefined), 'CONFIG what is to be embedded is no job | Write embed(job('],
    [
      'ticks of no length',
      () =>
        (millrace.embed as Any)(
          made((t) => t),
          { tickEvery: -1 },
        ),
      'CONFIG tickEvery is -1',
    ],
  ]
  test.each(wrong)('%s', (_, make, message) => expect(refused(make)).toContain(message))
})

describe('inputs', () => {
  const wrong: [string, () => unknown, string][] = [
    ['no columns', () => table({}), 'CONFIG an input needs at least one column'],
    ['nothing', () => table(), 'COLUMN_TYPE columns are an object of types | Write { id: int32, name: text }.'],
    ['a type by name', () => stream({ k: 'int32' }), 'COLUMN_TYPE column "k" has no type | Write { id: int32 }, with int32 from millrace.'],
    [
      'an unknown key',
      () => table({ id: int32 }, { key: 'idd' }),
      'UNKNOWN_COLUMN There is no column "idd" in the table (id). | Did you mean "id"?',
    ],
    [
      'one key twice',
      () => table({ k: int32 }, { key: ['k', 'k'] }),
      'DUPLICATE_NAME the key of a table is one or more different columns, not [k, k]',
    ],
    ['no key', () => table({ k: int32 }, { key: [] }), 'DUPLICATE_NAME'],
    ['options without a key', () => table({ k: int32 }, {}), 'CONFIG the options of a table name its key'],
  ]
  test.each(wrong)('%s', (_, make, message) => expect(refused(make)).toContain(message))
})

describe('operators', () => {
  const wrong: [string, (t: Any, u: Any) => unknown, string][] = [
    [
      'filter by a number',
      (t) => t.filter((r: Any) => r.k),
      't.filter(...) | a filter takes a condition, not int32 | Compare it with something',
    ],
    [
      'filter in JavaScript',
      (t) => t.filter((r: Any) => r.k > 1),
      'An expression has no value before it meets a row. | Write o.cents.gt(100), not o.cents > 100.',
    ],
    ['filter by nothing', (t) => t.filter(() => undefined), 't.filter(...) | '],
    ['an unknown column', (t) => t.select((r: Any) => ({ z: r.kk })), 'UNKNOWN_COLUMN'],
    [
      'a column of other rows',
      (t, u) => {
        let other: unknown
        u.select((r: Any) => {
          other = r.k.upper?.() ?? r.k
          return { k: r.k }
        })
        return t.select(() => ({ q: other }))
      },
      'COLUMN_TYPE',
    ],
    [
      'select something else',
      (t) => t.select(() => ({ a: new Map() })),
      '"a" is not an expression. | Use a column of the row, or literal(value).',
    ],
    ['groups by nothing known', (t) => t.groupBy('z'), 't.groupBy(\'z\') | There is no column "z"'],
    ['groups twice by one', (t) => t.groupBy('k', 'k'), 'DUPLICATE_NAME'],
    ['an aggregate named as the key', (t) => t.groupBy('k').aggregate(() => ({ k: count() })), 'DUPLICATE_NAME'],
    ['no aggregate', (t) => t.groupBy('k').aggregate((r: Any) => ({ n: r.k })), '"n" is not an aggregate. | Use count(), sum(row.column)'],
    ['a sum of text', (_, u) => u.groupBy('k').aggregate((r: Any) => ({ n: sum(r.k) })), 'sum() takes numbers, not text.'],
    ['keyed by nothing known', (t) => t.keyBy('z'), "t.keyBy('z') | There is no column"],
    ['the first none', (t) => t.topK(0, (r: Any) => r.k.desc()), 'topK takes whole numbers, k from 1'],
    ['the first in no order', (t) => t.topK(1, (r: Any) => r.k), 't.topK(1, ...) | '],
    ['other columns put together', (t, u) => t.concat(u), 'collections of different columns are put together'],
    ['joined with nothing', (t) => t.join(undefined, 'k'), 't.join('],
    ['joined by nothing', (t) => t.join(t), 't.join('],
    [
      'keys that are never equal',
      (t, u) => t.join(u, 'k'),
      '"k" is int32 in t, and "k" is text in u: they are never equal. | Convert one of them',
    ],
    ['one name twice', (t) => t.join(t, 'k'), 'Both sides have a column "at".'],
    [
      'valid for a number',
      (t) => t.validFor((r: Any) => r.at, 5),
      'rows are valid for 5 | Give microseconds above 0 as a bigint, such as days(30).',
    ],
    ['valid backwards', (t) => t.validFor((r: Any) => r.at, -5n), 'rows are valid for -5'],
    ['valid from no time', (t) => t.validFor((r: Any) => r.k, 5n), 'COLUMN_TYPE'],
    ['a loop of nothing', (t) => t.iterate(() => undefined), 't.iterate(...) | '],
    [
      'a loop to other columns',
      (_, u) => u.iterate((v: Any) => v.select((r: Any) => ({ z: r.k }))),
      'an iteration starts with ("k":text) and results in ("z":text)',
    ],
    [
      'a loop without enter',
      (_, u) => u.iterate((v: Any) => v.semijoin(u, 'k')),
      'collections inside and outside a loop meet | Bring those from outside in with enter(collection).',
    ],
    [
      'four loops deep',
      (t) => t.iterate((a: Any) => a.iterate((b: Any) => b.iterate((c: Any) => c.iterate((d: Any) => d)))),
      'loops nest at most 3 deep',
    ],
    [
      'a loop of no iterations',
      (t) => t.iterate((v: Any) => v, { maxIterations: 0 }),
      'maxIterations is 0 | It is a whole number from 1 to 2^30.',
    ],
    ['map to no types', (t) => t.map({ k: 'int' }, (r: Any) => r), 'column "k" has no type'],
    ['map by nothing', (t) => t.map({ k: int32 }), 'a function is needed, not undefined'],
    [
      'an async function',
      (t) => t.map({ k: int32 }, async (r: Any) => r),
      'the function is async, but nothing waits for it | Fetch what it needs before',
    ],
    ['filterRows by nothing', (t) => t.filterRows(5), 'a function is needed, not 5'],
    ['threshold by nothing', (t) => t.threshold(null), 'a function is needed, not null'],
    ['reduce by nothing', (t) => t.groupBy('k').reduce({ n: int32 }), 'a function is needed, not undefined'],
    ['inspect by nothing', (t) => t.inspect('x'), 'a function is needed, not "x"'],
  ]
  test.each(wrong)('%s', (_, define, message) => {
    const said = refused(() => made(define))
    expect(said).toContain(message)
    expect(said).toMatch(/^[A-Z_]+ definitions\.test\.ts:\d+ {2}/)
  })
})

test('jobs without inputs or outputs run', () => {
  using nothing = millrace.embed(
    job('j', {}, () => ({})) as millrace.Job<object & millrace.InputDefinitions, object & millrace.OutputDefinitions>,
  )
  expect(nothing.commit()).toBeGreaterThan(0)
  using inputs = millrace.embed(millrace.job('j', { t: millrace.table({ k: millrace.int32 }) }, () => ({})))
  inputs.inputs.t.insert({ k: 1 })
  expect(inputs.commit()).toBeGreaterThan(0)
})
