/**
 * Three real worker processes and a coordinator, and one fault after the other by a seed: killed, stopped, told to leave, cut off, damaged.
 * `MILLRACE_SEED` chooses the faults, `MILLRACE_FAULT_SECONDS` for how long.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference, type Follower } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import { sleep } from '../cluster/processes.ts'
import type { Reader } from '../cluster/reader.ts'
import { freePort, Stage, type StartedProcess, type StartedWorker, toldAfter } from '../cluster/stage.ts'
import { NetworkProxy } from '../network/proxy.ts'
import { fixedSeed } from '../property-seed.ts'

const cli = new BuiltCli()
let stage: Stage
const proxies: NetworkProxy[] = []
beforeAll(async () => {
  await cli.build()
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterAll(async () => {
  await stage?.close()
  await Promise.all(proxies.map((proxy) => proxy.close()))
  cli.remove()
})

const seed = fixedSeed() ?? Math.floor(Math.random() * 2 ** 32)
const random = new SeededRandom(seed)
const SECONDS = Number(process.env.MILLRACE_FAULT_SECONDS ?? 15)
const NAMES = ['alfa', 'bravo', 'charlie']
/** Milliseconds that faults last, and between them. */
const LONGEST_FAULT = 2500
const LONGEST_PAUSE = 1500
const HEALED_MILLISECONDS = 60_000

const load = new Load({ rate: 10_000 })

class Cluster {
  coordinator!: StartedProcess
  readonly workers: StartedWorker[] = []
  /** In front of each worker process, for the others; and of the coordinator, for `bravo`. */
  readonly peers: NetworkProxy[] = []
  control!: NetworkProxy
  private readonly ports: number[] = []

  async start(): Promise<void> {
    this.coordinator = await stage.coordinator({ parameters: ['--minimum-processes', '3'] })
    this.control = await proxied(this.coordinator.url)
    for (const [i, name] of NAMES.entries()) {
      this.ports.push(await freePort())
      this.peers.push(await proxied(`http://127.0.0.1:${this.ports[i]}`))
      this.workers.push(await this.worker(name))
    }
  }

  async worker(name: string): Promise<StartedWorker> {
    const i = NAMES.indexOf(name)
    const join = name === 'bravo' ? this.control.url : this.coordinator.url
    const listen = `127.0.0.1:${this.ports[i]}`
    return stage.worker(name, { threads: 1 + (i % 2), join, listen, parameters: ['--advertise', this.peers[i].url] })
  }

  /** What was ended, or has ended, is there again. */
  async complete(): Promise<void> {
    if (this.coordinator.process.hasEnded)
      this.coordinator = await stage.coordinator({
        port: Number(new URL(this.coordinator.url).port),
        parameters: ['--minimum-processes', '3'],
      })
    for (const [i, { process, name }] of this.workers.entries()) if (process.hasEnded) this.workers[i] = await this.worker(name)
  }

  heal(): void {
    for (const proxy of [...this.peers, this.control]) {
      proxy.script = () => 'pass'
      proxy.resume()
    }
  }
}

async function proxied(url: string): Promise<NetworkProxy> {
  const proxy = await NetworkProxy.start(url)
  proxies.push(proxy)
  return proxy
}

type Fault = (cluster: Cluster, milliseconds: number) => Promise<void>

const some = (cluster: Cluster): number => random.below(cluster.workers.length)

const FAULTS: Readonly<Record<string, Fault>> = {
  'a worker process is killed': async (cluster, milliseconds) => {
    cluster.workers[some(cluster)].process.signal('SIGKILL')
    await sleep(milliseconds)
  },
  'a worker process is stopped': async (cluster, milliseconds) => {
    const { process } = cluster.workers[some(cluster)]
    process.signal('SIGSTOP')
    await sleep(milliseconds)
    process.signal('SIGCONT')
  },
  'a worker process leaves': async (cluster) => {
    await cluster.workers[some(cluster)].process.terminate()
  },
  'the coordinator is killed': async (cluster, milliseconds) => {
    cluster.coordinator.process.signal('SIGKILL')
    await cluster.coordinator.process.ended
    await sleep(milliseconds / 2)
  },
  'the coordinator is stopped': async (cluster, milliseconds) => {
    cluster.coordinator.process.signal('SIGSTOP')
    await sleep(2 * milliseconds)
    cluster.coordinator.process.signal('SIGCONT')
  },
  'connections of a worker process break': async (cluster) => {
    cluster.peers[some(cluster)].cut()
  },
  'nothing reaches a worker process from the others': async (cluster, milliseconds) => {
    const proxy = cluster.peers[some(cluster)]
    proxy.stall()
    await sleep(milliseconds)
    proxy.resume()
  },
  'what the others say to a worker process is damaged': async (cluster) => {
    let left = 1
    cluster.peers[some(cluster)].script = (_, __, count) => (count > 3 && left-- > 0 ? 'corrupt' : 'pass')
  },
  'the connection to the coordinator breaks': async (cluster) => {
    cluster.control.cut()
  },
  'nothing passes to or from the coordinator': async (cluster, milliseconds) => {
    cluster.control.stall(random.below(2) === 0 ? 'toServer' : 'toClient')
    await sleep(milliseconds)
    cluster.control.resume()
  },
}

function problem(followers: readonly Follower[], readers: readonly Reader[]): string | null {
  return difference(followers) ?? readers.map((reader) => reader.problem).find((one) => one !== null) ?? null
}

test(`faults of seed ${seed}`, { timeout: (SECONDS + 240) * 1000 }, async () => {
  const cluster = new Cluster()
  await cluster.start()
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  const urls = cluster.workers.map(({ url }) => url)
  const followers = urls.map((url, i) => stage.follow(load, [url, urls[(i + 1) % urls.length]]))
  const readers = urls.map((url) => stage.read(load, url, 50))
  const happened: string[] = []
  const names = Object.keys(FAULTS)
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end; ) {
    const name = names[random.below(names.length)]
    happened.push(name)
    await FAULTS[name](cluster, 200 + random.below(LONGEST_FAULT))
    await sleep(random.below(LONGEST_PAUSE))
    await cluster.complete()
    expect({ happened, problem: problem(followers, readers) }).toEqual({ happened, problem: null })
  }
  cluster.heal()
  const healed = performance.now()
  await stage.runsWith(NAMES, load, HEALED_MILLISECONDS)
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now(), HEALED_MILLISECONDS)))
  await Promise.all(readers.map((reader) => reader.stop()))
  console.log(
    `${happened.length} faults of seed ${seed}: ${followers[0].told.length} times told, ${followers.map(({ resets }) => resets)} resets, ` +
      `${readers.map(({ right, answers }) => `${right.length} of ${answers.length}`)} reads answered, whole ${Math.round(performance.now() - healed)} ms after the last`,
  )
  expect({ happened, problem: problem(followers, readers) }).toEqual({ happened, problem: null })
})
