/** Worker processes on hosts of their own: a cable is pulled, and two hosts do not reach each other. Where the system has such hosts. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import { Namespaces, type NetworkHost } from '../cluster/namespaces.ts'
import { eventAt, Stage, type StartedWorker, toldAfter } from '../cluster/stage.ts'

const problem = Namespaces.problem
const cli = new BuiltCli()
let stage: Stage | null = null
let namespaces: Namespaces | null = null
beforeAll(async () => {
  if (problem === null) await cli.build()
})
afterAll(async () => {
  await stage?.close()
  namespaces?.close()
  cli.remove()
})

const NAMES = ['alfa', 'bravo', 'charlie']
const PORT = 7401

test('a cable that is pulled, and two hosts that do not reach each other', { timeout: 120_000 }, async () => {
  if (problem !== null) {
    console.log(`not tried: ${problem}`)
    return
  }
  const network = new Namespaces()
  namespaces = network
  const here = new Stage(`${cli.folder}/cli.js`, 'a-token-for-namespaces')
  stage = here
  const load = new Load({ rate: 20_000 })
  await here.coordinator({ host: network.address, parameters: ['--minimum-processes', '3'] })
  const hosts = new Map<string, NetworkHost>()
  const workers: StartedWorker[] = []
  for (const name of NAMES) {
    const host = network.add(name)
    hosts.set(name, host)
    workers.push(await here.worker(name, { wrapper: host.wrapper, listen: `${host.address}:${PORT}` }))
  }
  await here.deploy(load)
  await here.runsWith(NAMES, load)
  const [alfa, bravo, charlie] = workers
  const followers = [alfa, charlie].map(({ url }) => here.follow(load, [url]))
  const reader = here.read(load, alfa.url)
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))

  // Nothing that passes, no end of a connection: only the silence says that it is gone.
  const pulled = Date.now()
  hosts.get('bravo')?.plug(false)
  await here.runsWith(['alfa', 'charlie'], load)
  await Promise.all(followers.map((follower) => toldAfter(follower, pulled + 1)))
  const whole = Date.now() - pulled
  const detected = (eventAt(await here.status(), /process bravo lost: no heartbeat for/, pulled) as number) - pulled
  hosts.get('bravo')?.plug(true)
  await here.runsWith(NAMES, load)
  const back = here.follow(load, [bravo.url])
  await toldAfter(back, Date.now())

  // Each way of the two is blocked; both reach the coordinator and the third one.
  const [one, other] = [hosts.get('alfa') as NetworkHost, hosts.get('bravo') as NetworkHost]
  const blocked = Date.now()
  one.block(other, true)
  other.block(one, true)
  const group = await here.becomes(
    ({ groups: [found] }) => (found.processes.some(({ state }) => state === 'left out') && found.state === 'running' ? found : undefined),
    'one is left out',
  )
  await toldAfter(followers[1], Date.now())
  const without = Date.now() - blocked
  expect(group.processes.filter(({ state }) => state === 'member').map(({ name }) => name)).toContain('charlie')
  one.block(other, false)
  other.block(one, false)
  await here.runsWith(NAMES, load, 30_000)
  await Promise.all([...followers, back].map((follower) => toldAfter(follower, Date.now())))
  await reader.stop()
  console.log(
    `cable pulled: detected after ${detected} ms, whole after ${whole} ms; two that do not reach each other: goes on after ${without} ms`,
  )

  expect(difference([...followers, back])).toBeNull()
  expect(followers[1].resets).toBe(0)
  expect(reader.problem).toBeNull()
  expect(await here.told()).toMatch(/process (?:alfa|bravo) is left out for 5 s: (?:alfa|bravo) does not reach (?:alfa|bravo)/)
})
