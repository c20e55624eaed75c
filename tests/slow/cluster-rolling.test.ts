/** Real worker processes that leave properly and come back one by one, under load: drained, restarted, upgraded. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { PROTOCOL_LEAST, PROTOCOL_MOST } from '../../runtime/protocol/version.ts'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference, type Follower } from '../cluster/follower.ts'
import { accountName, Load } from '../cluster/load.ts'
import { freePort, Stage, type StartedWorker, toldAfter, type WorkerOptions } from '../cluster/stage.ts'
import { NetworkProxy } from '../network/proxy.ts'

const cli = new BuiltCli()
let stage: Stage
beforeAll(() => cli.build())
afterAll(() => cli.remove())
beforeEach(() => {
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterEach(() => stage.close())

const NAMES = ['alfa', 'bravo', 'charlie']
const load = new Load({ rate: 20_000 })

/** Three processes under load, and one that follows at `charlie`. */
async function running(options: (name: string) => WorkerOptions = () => ({})): Promise<{ workers: StartedWorker[]; follower: Follower }> {
  await stage.coordinator({ parameters: ['--minimum-processes', '3', '--history', '20000'] })
  const workers = await Promise.all(NAMES.map((name) => stage.worker(name, options(name))))
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const follower = stage.follow(load, [workers[2].url])
  await toldAfter(follower, Date.now())
  return { workers, follower }
}

async function expectExact(follower: Follower): Promise<void> {
  await toldAfter(follower, Date.now())
  expect(difference([follower])).toBeNull()
  expect(follower.resets).toBe(0)
}

test('SIGTERM and drain: the others take over, and the process ends', { timeout: 120_000 }, async () => {
  const { workers, follower } = await running()
  const [alfa, bravo] = workers
  const asked = performance.now()
  expect(await alfa.process.terminate()).toBe(0)
  const left = performance.now() - asked
  await stage.runsWith(['bravo', 'charlie'], load)
  const drained = await stage.ended(['drain', 'bravo', '--to', stage.url])
  expect(drained).toEqual({ code: 0, out: 'bravo is gone\n', err: '' })
  expect(await bravo.process.ended).toBe(0)
  await stage.runsWith(['charlie'], load)
  await expectExact(follower)
  const told = await stage.told()
  expect(told).toMatch(/process alfa is leaving/)
  expect(told).toMatch(/generation \d+ of bravo, charlie: process alfa is leaving/)
  expect(told).toMatch(/generation \d+ of charlie: process bravo is leaving/)
  // Nobody was lost: they left.
  expect(told).not.toMatch(/process (?:alfa|bravo) lost: its connection broke/)
  console.log(`SIGTERM: ended after ${Math.round(left)} ms`)
})

/** Every process leaves and comes back, one after the other. The one that follows goes to `alfa` for a while, and back to `charlie`. */
async function roll(workers: StartedWorker[], follower: Follower, options: (name: string) => WorkerOptions): Promise<void> {
  for (const name of ['charlie', 'alfa', 'bravo']) {
    const i = NAMES.indexOf(name)
    follower.redirect([workers[NAMES.indexOf(name === 'charlie' ? 'alfa' : 'charlie')].url])
    expect(await workers[i].process.terminate()).toBe(0)
    workers[i] = await stage.worker(name, options(name))
    await stage.runsWith(NAMES, load)
    await toldAfter(follower, Date.now())
  }
}

test('three processes are restarted one by one', { timeout: 120_000 }, async () => {
  const { workers, follower } = await running()
  const from = performance.now()
  await roll(workers, follower, () => ({}))
  console.log(`rolling restart: ${Math.round((performance.now() - from) / 3)} ms a process`)
  await expectExact(follower)
  expect((await stage.status()).groups[0].processes.map(({ state }) => state)).toEqual(['member', 'member', 'member'])
})

test('three processes are upgraded one by one, from the protocol before', { timeout: 120_000 }, async () => {
  // Of two members the one whose name comes first connects, so this is between `alfa` and `bravo`. Nobody follows there: what passes is
  // frames, and those of the older protocol carry their own strings.
  const listen = `127.0.0.1:${await freePort()}`
  const proxy = await NetworkProxy.start(`http://${listen}`)
  try {
    const heard = { bytes: 0, strings: 0 }
    proxy.script = (_, chunk) => {
      heard.bytes += chunk.length
      heard.strings += chunk.toString('latin1').split(accountName(1)).length - 1
      return 'pass'
    }
    const options = (version: number | null) => (name: string) => ({
      env: version === null ? {} : { MILLRACE_PROTOCOL: String(version) },
      ...(name === 'bravo' ? { listen, parameters: ['--advertise', proxy.url] } : {}),
    })
    const { workers, follower } = await running(options(PROTOCOL_LEAST))
    await toldAfter(follower, Date.now() + 1000)
    const before = { ...heard }
    const newer = await stage.ended(['worker', '--join', stage.url, '--name', 'newer'], {
      env: { MILLRACE_PROTOCOL: String(PROTOCOL_MOST + 1) },
    })
    await roll(workers, follower, options(null))
    heard.bytes = 0
    heard.strings = 0
    await toldAfter(follower, Date.now() + 1000)
    await expectExact(follower)
    console.log(`upgrade: protocol ${PROTOCOL_LEAST} ${JSON.stringify(before)}, protocol ${PROTOCOL_MOST} ${JSON.stringify(heard)}`)
    expect(before.strings).toBeGreaterThan(20)
    expect(heard.bytes).toBeGreaterThan(10_000)
    expect(heard.strings / heard.bytes).toBeLessThan(before.strings / before.bytes / 10)
    expect(newer.code).toBe(4)
    expect(newer.err).toMatch(
      new RegExp(
        `newer \\(release \\S+\\) speaks protocol ${PROTOCOL_MOST + 1}, the coordinator ${PROTOCOL_LEAST} to ${PROTOCOL_MOST}: upgrade the older one`,
      ),
    )
  } finally {
    await proxy.close()
  }
})
