/** Makes a failing scenario smaller for as long as it fails. */
import type { Scenario } from './scenario.ts'

const MAX_RUNS = 4_000

/** @param fails whether a scenario fails in the way that is looked for */
export function minimise(scenario: Scenario, fails: (scenario: Scenario) => boolean): Scenario {
  let best = scenario
  let runs = 0
  const attempt = (smaller: Scenario): boolean => {
    if (runs++ >= MAX_RUNS || !fails(smaller)) return false
    best = smaller
    return true
  }
  for (let before = ''; before !== JSON.stringify(best) && runs < MAX_RUNS; ) {
    before = JSON.stringify(best)
    for (const workers of [1, 2, 3]) if (workers < best.workers && attempt({ ...best, workers })) break
    if (best.forceHash) attempt({ ...best, forceHash: false })
    if (best.interpret) attempt({ ...best, interpret: false })
    if (best.collect) attempt({ ...best, collect: false })
    shorter(best.outputs, 1, (outputs) => attempt({ ...best, outputs }))
    best.outputs.forEach((_, i) => {
      for (let at = 0; at < best.inputs.length + best.operators.length; at++) {
        if (at < best.outputs[i] % (best.inputs.length + best.operators.length)) {
          if (attempt({ ...best, outputs: best.outputs.map((output, j) => (j === i ? at : output)) })) break
        }
      }
    })
    shorter(best.operators, 0, (operators) => attempt({ ...best, operators }))
    shorter(best.commits, 0, (commits) => attempt({ ...best, commits }))
    best.commits.forEach((_, i) => {
      const change = (part: object): boolean =>
        attempt({ ...best, commits: best.commits.map((commit, j) => (j === i ? { ...commit, ...part } : commit)) })
      shorter(best.commits[i].changes, 0, (changes) => change({ changes }))
      shorter(best.commits[i].faults, 0, (faults) => change({ faults }))
      if (best.commits[i].actions > 0) change({ actions: 0 })
      if (best.commits[i].step > 1) change({ step: 1 })
      best.commits[i].changes.forEach(({ values, diff }, c) => {
        const alter = (part: object): boolean =>
          change({ changes: best.commits[i].changes.map((one, j) => (j === c ? { ...one, ...part } : one)) })
        if (Math.abs(diff) > 1) alter({ diff: Math.sign(diff) })
        values.forEach((value, v) => {
          if (value > 0) alter({ values: best.commits[i].changes[c].values.map((one, j) => (j === v ? 0 : one)) })
        })
      })
    })
    best.operators.forEach((_, i) => {
      best.operators[i].args.forEach((arg, a) => {
        if (arg > 0)
          attempt({
            ...best,
            operators: best.operators.map((one, j) => (j === i ? { ...one, args: one.args.map((n, b) => (a === b ? 0 : n)) } : one)),
          })
      })
    })
  }
  return best
}

/** Tries a list without halves, quarters, ... single elements of it. */
function shorter<T>(list: readonly T[], least: number, attempt: (list: readonly T[]) => boolean): void {
  let now = list
  for (let size = Math.max(1, now.length >> 1); size >= 1; size >>= 1) {
    for (let at = 0; at + size <= now.length; ) {
      const without = [...now.slice(0, at), ...now.slice(at + size)]
      if (without.length >= least && attempt(without)) now = without
      else at += size
    }
  }
}
