/** The benchmark's input, checksum and outcomes, and that Millrace comes out with them in every form of rows. */
import { describe, expect, it } from 'vitest'
import { type Case, caseName, mismatches, outcomeOf, quickCases } from '../../bench/expected.ts'
import { handrolled } from '../../bench/handrolled.ts'
import { type Forms, millrace } from '../../bench/millrace.ts'
import { parseOptions } from '../../bench/options.ts'
import { DEFAULT_SEED, Xorshift } from '../../bench/random.ts'
import { type Engine, parametersOf, quantile, runWorkload } from '../../bench/runner.ts'
import { fnv1a, hash2, Sink } from '../../bench/sink.ts'
import { nthString } from '../../bench/strings.ts'

const OTHER_SEED = 42

/** The seed's outcome by hand, in rounds large and small. */
const small: readonly Pick<Case, 'workload' | 'args'>[] = [
  { workload: 'degrees', args: [200, 1000, 50, 40] },
  { workload: 'join', args: [200, 500, 50, 20] },
  { workload: 'reach', args: [200, 400, 20, 20] },
  { workload: 'words', args: [100, 1000, 300, 10] },
  { workload: 'topk', args: [50, 500, 100, 20] },
  { workload: 'wide', args: [200, 500, 50, 20] },
]

function wrong(engine: Engine, one: Pick<Case, 'workload' | 'args'>, seed: number): string[] {
  const expected = outcomeOf(runWorkload('handrolled', handrolled, one.workload, one.args, seed))
  return mismatches(outcomeOf(runWorkload('engine', engine, one.workload, one.args, seed)), expected)
}

describe('the protocol', () => {
  it('draws the given numbers and hashes to the given values', () => {
    const random = new Xorshift(DEFAULT_SEED)
    expect(Array.from({ length: 5 }, () => random.next())).toEqual([42034982, 3805524628, 78537300, 3564389094, 3644666546])
    expect([hash2(1, 2), hash2(123456, 999999)]).toEqual([2654356958, 1859630026])
    expect([fnv1a('w42'), fnv1a('w99999')]).toEqual([3574640508, 2406928097])
  })

  it('folds changes into the same sum in any order, and forgets what cancels', () => {
    const sink = new Sink()
    sink.emit(1, 2, 1)
    const { checksum } = sink
    sink.emit(7, 8, 3)
    sink.emit(7, 8, -3)
    expect([sink.checksum, sink.rows, sink.diffs]).toEqual([checksum, 1, 3])
  })

  it.each(quickCases.map((one) => [caseName(one), one] as const))('the hand-written program is right on %s', (_, one) => {
    const result = runWorkload('handrolled', handrolled, one.workload, one.args, DEFAULT_SEED)
    expect(mismatches(outcomeOf(result), one.expected)).toEqual([])
  })

  it('a wrong outcome is seen', () => {
    const [one] = quickCases
    const forgetful: Engine = {
      degrees: (stream, sink, parameters) => {
        const step = handrolled.degrees?.(stream, sink, parameters)
        return (addFrom, addTo, removeFrom, removeTo) => step?.(addFrom, addTo, removeFrom, Math.max(removeFrom, removeTo - 1))
      },
    }
    const result = runWorkload('forgetful', forgetful, one.workload, one.args, DEFAULT_SEED)
    expect(mismatches(outcomeOf(result), one.expected).length).toBeGreaterThan(0)
  })

  it('refuses arguments and options that it would have to guess at', () => {
    expect(() => parametersOf('join', [1, 2, 3])).toThrow('join takes NODES EDGES BATCH ROUNDS')
    expect(() => parseOptions(['degrees', '--input', 'objects'])).toThrow('--input is rows or columns')
    expect(() => parseOptions(['all', '--seed', '0'])).toThrow('seed must be a whole number')
    expect(parseOptions(['all', '--quick']).repeats).toBe(1)
  })

  it('takes quantiles by rank', () => {
    expect([quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 0.99), quantile([5], 0.5)]).toEqual([2, 4, 5])
  })

  it('draws strings that never repeat', () => {
    const drawn = Array.from({ length: 30_000 }, (_, i) => nthString(i))
    expect(new Set(drawn).size).toBe(drawn.length)
  })
})

describe('Millrace', () => {
  const forms: readonly Forms[] = [
    { input: 'rows', output: 'columns' },
    { input: 'columns', output: 'columns' },
    { input: 'rows', output: 'rows' },
    { input: 'columns', output: 'rows' },
  ]
  for (const form of forms)
    it.each(small.map((one) => [caseName(one), one] as const))(`${form.input} in, ${form.output} out: %s`, (_, one) => {
      expect(wrong(millrace(form), one, DEFAULT_SEED)).toEqual([])
      expect(wrong(millrace(form), one, OTHER_SEED)).toEqual([])
    })
})
