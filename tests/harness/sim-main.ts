/** The command line of `sim.ts`. */
import { generate } from './generate.ts'
import { problemOf, simulate, smallest } from './sim.ts'

const [from, count = '1', ...more] = process.argv.slice(2)
const first = Number(from)
if (from === undefined || !Number.isInteger(first) || !Number.isInteger(Number(count))) {
  console.error('Say which seed to run: npm run -s sim:programs -- SEED [COUNT] [faults]')
  process.exit(2)
}
const wanted = { faults: more.includes('faults') }
for (let seed = first; seed < first + Number(count); seed++) {
  const scenario = generate(seed, wanted)
  const problem = problemOf(scenario)
  if (problem === null) {
    if (!more.includes('quiet')) console.log(simulate(seed, wanted))
    continue
  }
  const small = smallest(scenario, problem)
  console.log(`seed ${seed} fails: ${problem}\nmade smaller:\n${JSON.stringify(small)}\n${problemOf(small)}`)
  process.exitCode = 1
}
