// Puts the figures of a benchmark run into the README, between its markers.
//   npm run -s bench -- all > all.jsonl; npm run -s bench -- peers > peers.jsonl
//   node scripts/benchmark-table.mjs [--page FILE] all.jsonl peers.jsonl
// Lines of `all` give load and memory, lines of `peers` the figures beside the other engines. Run it on the machine that was measured.
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const BEGIN = '<!-- benchmarks:begin -->'
const END = '<!-- benchmarks:end -->'
const ENGINES = ['millrace', 'handrolled', 'db-ivm', 'd2ts']
/** What a figure is of. */
const MEANING = { us_per_round: 'mean round', p50_us: 'median round', updates_per_s: 'updates', load_ms: 'load' }
const WORK = {
  degrees: 'out-degrees of nodes, and how many nodes have each',
  join: 'a join on an int32 key',
  wide: 'a join of rows of five columns on a text key',
  words: 'counts of words',
  topk: 'the three largest of each key',
  reach: 'nodes reachable from one',
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { page: { type: 'string', default: join(root, 'README.md') } },
})
if (positionals.length === 0) fail('Give the files of a run. usage: node scripts/benchmark-table.mjs [--page FILE] all.jsonl peers.jsonl')

const lines = positionals.flatMap((path) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line)),
)
const compared = lines.filter((line) => typeof line.case === 'string' && typeof line.millrace === 'number')
const alone = lines.filter((line) => line.engine === 'millrace' && typeof line.load_ms === 'number')
if (compared.length === 0 && alone.length === 0)
  fail('There are no figures in these files: they are the output of the commands all and peers.')

const page = readFileSync(values.page, 'utf8')
const from = page.indexOf(BEGIN)
const to = page.indexOf(END)
if (from < 0 || to < from) fail(`${values.page} has no place for the table: ${BEGIN} ... ${END}`)
const used = new Set()
const parts = [compared.length > 0 ? comparison() : '', alone.length > 0 ? loads() : '', legend(), provenance()].filter(
  (part) => part !== '',
)
writeFileSync(values.page, `${page.slice(0, from)}${BEGIN}\n\n${parts.join('\n\n')}\n\n${page.slice(to)}`)
console.log(`${compared.length} compared cases and ${alone.length} of Millrace alone`)

function comparison() {
  const rows = compared.map((line) => {
    const { work, size } = described(line.case)
    return [work, size, MEANING[line.figure] ?? line.figure, ...ENGINES.map((engine) => figure(line.figure, line[engine]))]
  })
  return table(['work', 'rows; replaced a round; rounds', 'figure', 'Millrace', 'by hand', 'db-ivm', 'd2ts'], rows)
}

function loads() {
  const rows = alone.map((line) => {
    const { work, size } = described(`${line.workload} ${line.args.join(' ')}`)
    return [work, size, `${count(line.load_ms)} ms`, `${count(line.rss_mb)} MB`, time(line.p50_us), time(line.p99_us)]
  })
  return `Millrace alone:\n\n${table(['work', 'rows; replaced a round; rounds', 'load', 'peak memory', 'median round', '99th percentile'], rows)}`
}

function legend() {
  const works = [...used].map((name) => `\`${name}\`: ${WORK[name] ?? name}`)
  return `${works.join('; ')}. An update is a row put in or taken out: replacing a row is two; of both sides of a join, four.`
}

function provenance() {
  const [cpu] = cpus()
  const seen = cpu === undefined ? '' : ` ${cpu.model.trim()},`
  return `Measured on ${new Date().toISOString().slice(0, 10)}:${seen} ${cpus().length} cores, Node ${process.version}. A dash is what an engine cannot do or got wrong.`
}

/** `degrees 100000 1000000 1000 100`: keys, rows, rows replaced a round, rounds. */
function described(name) {
  const [workload, , rows, batch, rounds] = name.split(' ')
  used.add(workload)
  return { work: workload, size: `${count(Number(rows))}; ${count(Number(batch))}; ${count(Number(rounds))}` }
}

function figure(kind, value) {
  if (typeof value !== 'number') return '-'
  if (kind === 'updates_per_s') return value >= 1e5 ? `${significant(value / 1e6)} M/s` : `${count(value)} /s`
  return time(kind === 'load_ms' ? 1000 * value : value)
}

function time(microseconds) {
  return microseconds >= 10_000 ? `${significant(microseconds / 1000)} ms` : `${significant(microseconds)} us`
}

function significant(value) {
  return value >= 100 ? count(Math.round(value)) : String(+value.toPrecision(2))
}

function count(value) {
  return Math.round(value).toLocaleString('en-US')
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i < 2 || cellIsText(head[i]) ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

function cellIsText(title) {
  return title === 'figure'
}

function fail(message) {
  console.error(message)
  process.exit(2)
}
