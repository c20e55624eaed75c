// node bench/peers/run.mjs ENGINE WORKLOAD ARG... [--seed S] -> one JSON line. Needs a build, and `npm ci` in this folder.
import { parseOptions } from '../../dist/bench/options.js'
import { runWorkload } from '../../dist/bench/runner.js'

const [engine, ...rest] = process.argv.slice(2)
const { words, seed } = parseOptions(rest)
const [workload, ...args] = words
const adapter = await import(`./${engine}.mjs`)
console.log(JSON.stringify(runWorkload(engine, adapter, workload, args.map(Number), seed)))
