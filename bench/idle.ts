/** What a cluster costs that has nothing to do: bytes between processes, and processor time. */

import { Load } from '../tests/cluster/load.ts'
import { sleep, until, usageOf } from '../tests/cluster/processes.ts'
import { readFacts } from '../tests/cluster/reader.ts'
import { freePort, Stage, type StartedWorker } from '../tests/cluster/stage.ts'
import { NetworkProxy } from '../tests/network/proxy.ts'
import { root } from './child.ts'
import type { Options } from './options.ts'
import { tenths } from './runner.ts'

const NAMES = ['one', 'two', 'three']
const PAIRS = (NAMES.length * (NAMES.length - 1)) / 2
/** What has just been busy compiles and collects for a while. */
const SETTLE_MILLISECONDS = 15_000
const QUICK_SETTLE_MILLISECONDS = 3000
const MEASURED_MILLISECONDS = 20_000
const QUICK_MILLISECONDS = 5000
/** Of Ethernet, IP and TCP with its timestamps, for a segment and for its acknowledgement. */
const HEADER_BYTES = 2 * 66
/** What it must reach: bytes a second of each pair of workers, and the share of a core of each process. */
const BYTES_GOAL = 1024
const CPU_GOAL = 0.01

class Counter {
  bytes = 0
  chunks = 0
  readonly proxies: NetworkProxy[] = []

  async before(port: number): Promise<string> {
    const proxy = await NetworkProxy.start(`http://127.0.0.1:${port}`)
    proxy.script = (_, chunk) => {
      this.bytes += chunk.length
      this.chunks++
      return 'pass'
    }
    this.proxies.push(proxy)
    return proxy.url
  }

  reset(): void {
    this.bytes = 0
    this.chunks = 0
  }

  /** A second of each, without and with headers. */
  rates(count: number, seconds: number): { readonly payload: number; readonly wire: number } {
    const each = count * seconds
    return { payload: Math.round(this.bytes / each), wire: Math.round((this.bytes + HEADER_BYTES * this.chunks) / each) }
  }
}

/** Returns how many goals were missed. */
export async function runIdle(options: Options): Promise<number> {
  const stage = new Stage(`${root}dist/cli.js`)
  const [control, peers] = [new Counter(), new Counter()]
  try {
    return await measure(stage, control, peers, options)
  } finally {
    await stage.close()
    await Promise.all([...control.proxies, ...peers.proxies].map((proxy) => proxy.close()))
  }
}

async function measure(stage: Stage, control: Counter, peers: Counter, options: Options): Promise<number> {
  // All rows are there soon, and then nothing comes any more.
  const load = new Load({ rate: 20_000, total: 1000 })
  const coordinator = await stage.coordinator({ parameters: ['--minimum-processes', String(NAMES.length)] })
  const join = await control.before(Number(new URL(coordinator.url).port))
  const workers: StartedWorker[] = []
  for (const name of NAMES) {
    const port = await freePort()
    const url = await peers.before(port)
    workers.push(
      await stage.worker(name, { join, threads: options.workers, listen: `127.0.0.1:${port}`, parameters: ['--advertise', url] }),
    )
  }
  await stage.deploy(load)
  await stage.runsWith(NAMES, load)
  await until(async () => (load.isAll((await readFacts(load, workers[0].url)).facts) ? true : undefined), 'all rows')
  await sleep(options.quick ? QUICK_SETTLE_MILLISECONDS : SETTLE_MILLISECONDS)

  const processes = [coordinator, ...workers].map(({ process }) => process.pid)
  const cpu = (): number[] => processes.map((pid) => usageOf(pid)?.cpuSeconds ?? Number.NaN)
  control.reset()
  peers.reset()
  const before = cpu()
  const from = performance.now()
  await sleep(options.quick ? QUICK_MILLISECONDS : MEASURED_MILLISECONDS)
  const seconds = (performance.now() - from) / 1000
  const shares = cpu().map((used, i) => (used - before[i]) / seconds)
  const percent = (share: number): number => tenths(100 * share)
  const pair = peers.rates(PAIRS, seconds)
  const worst = Math.max(...shares)
  const result = {
    bench: 'idle',
    processes: NAMES.length,
    workers: options.workers,
    pair_bytes_per_s: pair.payload,
    pair_wire_bytes_per_s: pair.wire,
    coordinator_bytes_per_s: control.rates(NAMES.length, seconds).payload,
    coordinator_wire_bytes_per_s: control.rates(NAMES.length, seconds).wire,
    coordinator_cpu_percent: percent(shares[0]),
    worker_cpu_percent: shares.slice(1).map(percent),
    seconds: Math.round(seconds),
  }
  console.log(JSON.stringify(result))
  return Number(pair.payload > BYTES_GOAL) + Number(worst > CPU_GOAL)
}
