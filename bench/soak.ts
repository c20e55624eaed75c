/**
 * A million rounds of one change a side over a job with a join and two levels of counts: speed and memory must stay as they
 * are after the first tenth. The window slides, so the state never grows; at the end the output is computed anew.
 */
import { count, embed, int32, job, table } from '../millrace.ts'
import type { Options } from './options.ts'
import { Xorshift } from './random.ts'
import { Sink } from './sink.ts'
import { runLong } from './stability.ts'

const KEYS = 50_000
const VALUES = 1_000_000
/** Rows of a side that are present. */
const WINDOW = 100_000
const SLOWER = 1.05
const LARGER = 1.1

interface Pair {
  k: number
  v: number
}

/** A stream that is read twice, by a second source that lags, so that rows need not be kept to be removed. */
function source(seed: number): () => Pair {
  const random = new Xorshift(seed)
  return () => ({ k: random.next() % KEYS, v: random.next() % VALUES })
}

/** Returns the number of bounds that were missed. */
export function runSoak(options: Options): number {
  const rounds = options.quick ? 50_000 : 1_000_000
  const pairs = table({ k: int32, v: int32 })
  const soak = job('soak', { a: pairs, b: pairs }, ({ a, b }) => ({
    joined: a.join(b, 'k', (x, y) => ({ a: x.v, b: y.v })).changelog(),
    degrees: a
      .groupBy('k')
      .aggregate(() => ({ d: count() }))
      .groupBy('d')
      .aggregate(() => ({ n: count() }))
      .changelog(),
  }))
  const app = embed(soak, { clock: () => 0 })
  const joined = new Sink()
  const degrees = new Sink()
  app.outputs.joined.subscribeColumns(({ n, words: { a, b }, differences }) => {
    for (let i = 0; i < n; i++) joined.emit(a[i], b[i], differences[i])
  })
  app.outputs.degrees.subscribeColumns(({ n, words: { d, n: counts }, differences }) => {
    for (let i = 0; i < n; i++) degrees.emit(d[2 * i], counts[2 * i], differences[i])
  })

  const sides = [
    { input: app.inputs.a, next: source(options.seed), oldest: source(options.seed) },
    { input: app.inputs.b, next: source(options.seed + 1), oldest: source(options.seed + 1) },
  ]
  for (let i = 0; i < WINDOW; i++) for (const { input, next } of sides) input.insert(next())
  app.commit()
  const { speed, memory } = runLong({
    name: 'soak',
    rounds,
    stretch: options.quick ? 1_000 : 10_000,
    round: () => {
      for (let i = 0; i < 2; i++) {
        const { input, next, oldest } = sides[i]
        input.insert(next())
        input.remove(oldest())
      }
      app.commit()
    },
    details: () => ({
      joined_rows: joined.rows,
      degrees_rows: degrees.rows,
      memory: app.memory(),
      state: app.state().map(({ operator, input, bytes, keys, rows, batches }) => ({ operator, input, bytes, keys, rows, batches })),
    }),
  })
  const present = sides.map(({ oldest }) => Array.from({ length: WINDOW }, oldest))
  const wrong = wrongOutputs(present[0], present[1], joined, degrees)
  for (const line of wrong) console.error(line)
  // A quick run is over before the machine and V8 have settled: only its outputs are judged.
  if (options.quick) return wrong.length
  return wrong.length + (speed > SLOWER ? 1 : 0) + (memory > LARGER ? 1 : 0)
}

/** Computes both outputs of the rows that are present from scratch. */
function wrongOutputs(a: readonly Pair[], b: readonly Pair[], joined: Sink, degrees: Sink): string[] {
  const values = new Map<number, number[]>()
  for (const { k, v } of b) values.set(k, [...(values.get(k) ?? []), v])
  const pairs = new Sink()
  for (const { k, v } of a) for (const other of values.get(k) ?? []) pairs.emit(v, other, 1)
  const degreeOf = tally(a.map(({ k }) => k))
  const counts = new Sink()
  for (const [degree, n] of tally(degreeOf.values())) counts.emit(degree, n, 1)
  const wrong = (name: string, got: Sink, want: Sink): string[] =>
    got.checksum === want.checksum && got.rows === want.rows
      ? []
      : [`${name} is wrong: ${got.rows} rows ${got.checksum}, not ${want.rows} rows ${want.checksum}`]
  return [...wrong('joined', joined, pairs), ...wrong('degrees', degrees, counts)]
}

function tally(keys: Iterable<number>): Map<number, number> {
  const counts = new Map<number, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
