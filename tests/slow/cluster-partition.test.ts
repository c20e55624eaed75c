/**
 * Real worker processes of which two reach each other through a proxy only, that cuts, stalls, delays, duplicates and corrupts what passes.
 * Of two members the one whose name comes first connects: what is in front of `bravo` is between `alfa` and `bravo` alone.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference, type Follower } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import type { Reader } from '../cluster/reader.ts'
import { freePort, Stage, toldAfter } from '../cluster/stage.ts'
import { NetworkProxy } from '../network/proxy.ts'

const cli = new BuiltCli()
let stage: Stage
let proxy: NetworkProxy
beforeAll(() => cli.build())
afterAll(() => cli.remove())
beforeEach(() => {
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterEach(async () => {
  await stage.close()
  await proxy.close()
})

const NAMES = ['alfa', 'bravo', 'charlie']
const load = new Load({ rate: 20_000 })

interface Running {
  readonly followers: readonly Follower[]
  readonly readers: readonly Reader[]
}

/** Three processes; `bravo` is the youngest. */
async function running(): Promise<Running> {
  const listen = `127.0.0.1:${await freePort()}`
  proxy = await NetworkProxy.start(`http://${listen}`)
  await stage.coordinator({ parameters: ['--minimum-processes', '3'] })
  const [alfa, charlie] = [await stage.worker('alfa'), await stage.worker('charlie')]
  await stage.becomes(({ groups }) => (groups[0]?.processes.length === 2 ? true : undefined), 'two processes')
  const bravo = await stage.worker('bravo', { listen, parameters: ['--advertise', proxy.url] })
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const followers = [alfa, charlie].map(({ url }) => stage.follow(load, [url]))
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  return { followers, readers: [alfa, bravo, charlie].map(({ url }) => stage.read(load, url, 100)) }
}

async function expectExact({ followers, readers }: Running): Promise<void> {
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  await Promise.all(readers.map((reader) => reader.stop()))
  expect(difference(followers)).toBeNull()
  expect(readers.map(({ problem }) => problem)).toEqual(readers.map(() => null))
  expect(followers.map(({ resets }) => resets)).toEqual(followers.map(() => 0))
}

test('two that do not reach each other: the group goes on without one of them, until the network is whole', {
  timeout: 120_000,
}, async () => {
  const watched = await running()
  const cut = Date.now()
  proxy.refuse()
  expect(proxy.cut()).toBeGreaterThan(0)
  await stage.runsWith(['alfa', 'charlie'], load)
  await Promise.all(watched.followers.map((follower) => toldAfter(follower, cut + 1)))
  const [follower] = watched.followers
  const without = (follower.told.find(({ time }) => time > cut * 1000)?.time as number) / 1000 - cut
  const told = await stage.told()
  expect(told).toMatch(/process bravo is left out for 5 s: (?:alfa|bravo) does not reach (?:alfa|bravo)/)
  expect(told).toMatch(/^bravo +left out/m)
  proxy.refuse(false)
  const healed = performance.now()
  await stage.runsWith(NAMES, load)
  console.log(`cut: goes on after ${Math.round(without)} ms, whole ${Math.round(performance.now() - healed)} ms after it was mended`)
  await expectExact(watched)
})

test('nothing passes between two, and nobody is told', { timeout: 120_000 }, async () => {
  const watched = await running()
  const stalled = performance.now()
  proxy.stall()
  await stage.runsWith(['alfa', 'charlie'], load)
  await Promise.all(watched.followers.map((follower) => toldAfter(follower, Date.now())))
  const without = performance.now() - stalled
  proxy.resume()
  proxy.cut()
  await stage.runsWith(NAMES, load)
  console.log(`stalled: goes on after ${Math.round(without)} ms`)
  await expectExact(watched)
})

test('what passes is late, comes twice, and is damaged', { timeout: 120_000 }, async () => {
  const watched = await running()
  proxy.delayMilliseconds = 20
  await Promise.all(watched.followers.map((follower) => toldAfter(follower, Date.now())))
  const hits = { duplicate: 0, corrupt: 0 }
  for (const [i, fate] of (['duplicate', 'corrupt', 'duplicate', 'corrupt'] as const).entries()) {
    // Some chunk of an established link, either way.
    let left = 1
    const from = 5 + 3 * i
    proxy.script = (direction, _, count) => {
      if (left === 0 || count < from || (direction === 'toServer') !== (hits[fate] % 2 === 0)) return 'pass'
      left--
      hits[fate]++
      return fate
    }
    const before = hits[fate]
    await stage.becomes(() => (hits[fate] > before ? true : undefined), `a chunk becomes ${fate}`)
    await Promise.all(watched.followers.map((follower) => toldAfter(follower, Date.now())))
  }
  proxy.script = () => 'pass'
  proxy.delayMilliseconds = 0
  await stage.runsWith(NAMES, load)
  const generations = (await stage.status()).events.filter(({ text }) => /^generation \d+ of/.test(text))
  console.log(`damaged: ${JSON.stringify(hits)}, ${generations.length} generations`)
  await expectExact(watched)
})
