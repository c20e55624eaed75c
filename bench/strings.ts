/** Ever-new strings in a sliding window: whoever interns strings must also forget them, or memory grows for ever. */
import { count, embed, job, table, text } from '../millrace.ts'
import type { Options } from './options.ts'
import { fnv1a, Sink } from './sink.ts'
import { runLong } from './stability.ts'

const BATCH = 1_000
const LARGER = 1.1

/** The i-th string, unlike all others: short, long and beyond Latin-1 in turn. */
export function nthString(i: number): string {
  if (i % 3 === 0) return i.toString(36)
  return i % 3 === 1 ? `session/${i.toString(16).padStart(12, '0')}/opened` : `заказ-${i}`
}

/** Returns the number of bounds that were missed. */
export function runStrings(options: Options): number {
  const rounds = options.quick ? 1_000 : 10_000
  /** Strings that are present. A tenth of the rounds brings several times as many: memory rises and falls with collections. */
  const window = options.quick ? 50_000 : 200_000
  const counts = job('strings', { seen: table({ s: text }) }, ({ seen }) => ({
    out: seen
      .groupBy('s')
      .aggregate(() => ({ n: count() }))
      .changelog(),
  }))
  const app = embed(counts, { clock: () => 0 })
  const sink = new Sink()
  let live = 0
  app.outputs.out.subscribeColumns(({ n, words: { s, n: totals }, differences, dictionary }) => {
    live = dictionary.live
    for (let i = 0; i < n; i++) sink.emit(fnv1a(dictionary.get(s[i])), totals[2 * i], differences[i])
  })
  const rows = (from: number): { s: string }[] => Array.from({ length: BATCH }, (_, i) => ({ s: nthString(from + i) }))
  for (let from = 0; from < window; from += BATCH) app.inputs.seen.insertMany(rows(from))
  app.commit()
  const { memory } = runLong({
    name: 'strings',
    rounds,
    stretch: rounds / 100,
    round: (index) => {
      app.inputs.seen.insertMany(rows(window + index * BATCH))
      app.inputs.seen.removeMany(rows(index * BATCH))
      app.commit()
    },
    details: () => ({ strings_drawn: sink.diffs, rows: sink.rows, dictionary_strings: live }),
  })
  const expected = new Sink()
  for (let i = 0; i < window; i++) expected.emit(fnv1a(nthString(rounds * BATCH + i)), 1, 1)
  const right = sink.checksum === expected.checksum && sink.rows === window
  if (!right) console.error(`wrong output: ${sink.rows} rows ${sink.checksum}, not ${window} rows ${expected.checksum}`)
  return (right ? 0 : 1) + (memory > LARGER ? 1 : 0)
}
