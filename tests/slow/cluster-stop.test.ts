/** A real worker process that is stopped (SIGSTOP), given up, and wakes: it shows nothing of what it had, and comes back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../coordinator/options.ts'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import { sleep } from '../cluster/processes.ts'
import { readFact, readFacts } from '../cluster/reader.ts'
import { eventAt, Stage, toldAfter } from '../cluster/stage.ts'

const cli = new BuiltCli()
let stage: Stage
beforeAll(async () => {
  await cli.build()
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterAll(async () => {
  await stage?.close()
  cli.remove()
})

const NAMES = ['one', 'two', 'three']
/** How long reads go on after it woke, milliseconds. */
const AWAKE_MILLISECONDS = 3000

test('a stopped process shows nothing when it wakes, and then comes back', { timeout: 120_000 }, async () => {
  const load = new Load({ rate: 20_000 })
  await stage.coordinator({ parameters: ['--minimum-processes', '3'] })
  const [one, two, three] = await stage.workers(NAMES)
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const staying = stage.follow(load, [one.url])
  const other = stage.follow(load, [two.url])
  const sleeping = stage.follow(load, [three.url])
  const reader = stage.read(load, one.url)
  await Promise.all([staying, other, sleeping].map((follower) => toldAfter(follower, Date.now())))

  const stopped = Date.now()
  three.process.signal('SIGSTOP')
  // Reads that wait for it: of all, and of each fact alone, since for those that it has itself it need not ask anybody.
  const waiting = [readFacts(load, three.url), ...[...staying.facts.values()].map((fact) => readFact(load, three.url, fact))]
  const arriving = stage.follow(load, [three.url])
  await stage.runsWith(['one', 'two'], load)
  const detected = (eventAt(await stage.status(), /process three lost: no heartbeat for/, stopped) as number) - stopped
  await toldAfter(staying, Date.now() + 500)
  const before = sleeping.told.length

  // What reads at it may show: what the others were told, but for as long as its lease could be.
  const oldest = (staying.last?.time as number) - 1000 * DEFAULT_LIMITS.leaseMilliseconds
  three.process.signal('SIGCONT')
  const woken = performance.now()
  const answers = await Promise.all(waiting)
  while (performance.now() - woken < AWAKE_MILLISECONDS) {
    answers.push(await readFacts(load, three.url))
    await sleep(20)
  }
  await stage.runsWith(NAMES, load)
  await Promise.all([staying, other, sleeping, arriving].map((follower) => toldAfter(follower, Date.now())))
  await reader.stop()
  const statuses = answers.map(({ status }) => status)
  console.log(
    `stopped: detected after ${detected} ms; reads at it afterwards: ${statuses.filter((status) => status === 503).length} refused, ` +
      `${statuses.filter((status) => status === 200).length} answered; ${sleeping.told.length - before} times told, ${sleeping.resets} resets`,
  )

  expect(answers.filter(({ problem }) => problem !== null)).toEqual([])
  expect(answers.filter(({ time }) => time !== null && time < oldest)).toEqual([])
  expect(waiting.length).toBeGreaterThan(load.accounts)
  expect(statuses.slice(0, waiting.length).every((status) => status === 503 || status === 200)).toBe(true)
  expect(reader.problem).toBeNull()
  expect(difference([staying, other, sleeping, arriving])).toBeNull()
  expect([staying.resets, other.resets]).toEqual([0, 0])
  // Whatever it told is what the others were told, also if it had to begin anew.
  const told = new Map(staying.told.map(({ time, changes }) => [time, changes]))
  const strange = sleeping.told.filter(({ time, changes }) => time <= (staying.last?.time as number) && told.get(time) !== changes)
  expect(strange.filter(({ time }) => time >= staying.told[0].time)).toEqual([])
  const status = await stage.told()
  expect(status).toMatch(/process three lost: no heartbeat for \d/)
  expect(status).toMatch(/generation \d+ of one, two: process three lost/)
  expect(status).toMatch(/generation \d+ of one, three, two: process three joined/)
})
