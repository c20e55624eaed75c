/** Real coordinators that are killed under load: one that comes back, and a standby in its place. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { BuiltCli } from '../cli/built-cli.ts'
import { difference, type Follower } from '../cluster/follower.ts'
import { Load } from '../cluster/load.ts'
import type { Reader } from '../cluster/reader.ts'
import { Stage, type StartedWorker, toldAfter } from '../cluster/stage.ts'

const cli = new BuiltCli()
let stage: Stage
beforeAll(() => cli.build())
afterAll(() => cli.remove())
beforeEach(() => {
  stage = new Stage(`${cli.folder}/cli.js`)
})
afterEach(() => stage.close())

const NAMES = ['one', 'two', 'three']
/** A machine that also builds and tests is slow at times: what is shown is that work goes on, not how soon. */
const PATIENT = ['--minimum-processes', '3', '--resume', '20000', '--history', '20000']
const load = new Load({ rate: 20_000 })

interface Watched {
  readonly followers: readonly Follower[]
  readonly readers: readonly Reader[]
}

async function watch(workers: readonly StartedWorker[]): Promise<Watched> {
  const followers = workers.map(({ url }) => stage.follow(load, [url]))
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  return { followers, readers: workers.map(({ url }) => stage.read(load, url, 100)) }
}

/** Nothing was lost, told twice or wrong, and nobody had to begin anew. */
async function expectUndisturbed({ followers, readers }: Watched): Promise<void> {
  await Promise.all(followers.map((follower) => toldAfter(follower, Date.now())))
  await Promise.all(readers.map((reader) => reader.stop()))
  expect(difference(followers)).toBeNull()
  expect(readers.map(({ problem }) => problem)).toEqual(readers.map(() => null))
  expect(followers.map(({ resets, connections }) => [resets, connections])).toEqual(followers.map(() => [0, 1]))
}

/** The longest while in which a follower was told nothing, milliseconds. */
function silence({ told }: Follower): number {
  return Math.max(...told.slice(1).map(({ at }, i) => at - told[i].at))
}

test('a coordinator that is killed and started again goes on where it was', { timeout: 120_000 }, async () => {
  const first = await stage.coordinator({ parameters: PATIENT })
  const port = Number(new URL(first.url).port)
  const workers = await stage.workers(NAMES)
  await stage.deploy(load)
  const { generation } = await stage.runsWith(NAMES, load)
  const watched = await watch(workers)

  first.process.signal('SIGKILL')
  await first.process.ended
  const killed = Date.now()
  await stage.coordinator({ parameters: PATIENT, port })
  await Promise.all(watched.followers.map((follower) => toldAfter(follower, killed + 1)))
  const group = await stage.runsWith(NAMES, load)
  await expectUndisturbed(watched)
  console.log(`coordinator killed: ${Math.round(silence(watched.followers[0]))} ms without a new time; ${group.reason}`)
  expect(group.generation).toBe(generation)
  expect(await stage.told()).toMatch(new RegExp(`generation ${generation} goes on: all 3 processes came back`))
})

test('a standby takes over from a coordinator that is killed', { timeout: 120_000 }, async () => {
  const first = await stage.coordinator({ parameters: PATIENT })
  const standby = await stage.coordinator({ parameters: [...PATIENT, '--standby'] })
  await standby.process.logs('it stands by: another one leads')
  const workers = await stage.workers(NAMES, { join: `${standby.url},${first.url}` })
  stage.url = first.url
  await stage.deploy(load)
  const { generation } = await stage.runsWith(NAMES, load)
  const watched = await watch(workers)

  const killed = Date.now()
  first.process.signal('SIGKILL')
  stage.url = standby.url
  await Promise.all(watched.followers.map((follower) => toldAfter(follower, killed + 50)))
  const group = await stage.runsWith(NAMES, load)
  await expectUndisturbed(watched)
  console.log(`leader killed: ${Math.round(silence(watched.followers[0]))} ms without a new time`)
  expect(group.generation).toBe(generation)
  const status = await stage.status()
  expect([status.epoch, status.leader]).toEqual([2, standby.url])
})
