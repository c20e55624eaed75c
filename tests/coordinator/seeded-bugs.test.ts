/** What the ledger and the chaos say when the coordinator is broken on purpose: each check must be able to fail. */
import { afterEach, expect, test, vi } from 'vitest'
import { Dataflow } from '../../coordinator/dataflow.ts'
import { DataflowRun } from '../../coordinator/dataflow-run.ts'
import { MemoryStore } from '../../coordinator/metadata/memory-store.ts'
import type { Fact } from '../../coordinator/metadata/metadata-store.ts'
import { ReplayLog } from '../../coordinator/replay-log.ts'
import { Settler } from '../../coordinator/settler.ts'
import { Term } from '../../coordinator/term.ts'
import { Ceiling } from '../../coordinator/timeline.ts'
import { running } from './running.ts'
import { SECOND } from './stage.ts'

type Anything = Record<string, (...values: never[]) => unknown>
/** Private methods, too. */
const methods = (one: { readonly prototype: unknown }): Anything => one.prototype as Anything

afterEach(() => {
  vi.restoreAllMocks()
})

test('times that are minted without a durable ceiling', async () => {
  vi.spyOn(Ceiling.prototype, 'allows').mockReturnValue(true)
  const stage = await running()
  stage.world.jumpClock('c1', -3600 * SECOND)
  // Times that nobody holds any more, but that were minted.
  stage.world.crash('w1')
  stage.world.crash('w2')
  stage.world.crash('w3')
  stage.world.restart('c1')
  vi.spyOn(Dataflow.prototype, 'restoreSettled').mockReturnValue(undefined)
  for (const name of ['w1', 'w2', 'w3']) stage.world.restart(name)
  await expect(stage.run(8)).rejects.toThrow(/was minted|was told|is visible|was visible/)
})

test('a generation that is told before it is durable', async () => {
  const write = Term.prototype.write
  vi.spyOn(Term.prototype, 'write').mockImplementation(async function (this: Term, facts: readonly Fact[]) {
    void write.call(this, facts).catch(() => undefined)
  })
  await expect(running()).rejects.toThrow(/was told before it was durable/)
})

test('a time that becomes visible when one member is complete', async () => {
  const onReport = DataflowRun.prototype.onReport
  vi.spyOn(DataflowRun.prototype, 'onReport').mockImplementation(function (this: DataflowRun, process, report) {
    const { complete, members } = this as unknown as { complete: Map<string, number>; members: { process: string }[] }
    for (const member of members) complete.set(member.process, report.complete)
    onReport.call(this, process, report)
  })
  const slow = async (): Promise<void> => {
    const stage = await running()
    stage.join('slow', { slowness: 300 })
    await stage.run(5)
  }
  await expect(slow()).rejects.toThrow(/is visible, and|has other rows than when/)
})

test('cuts that get lost', async () => {
  const addCut = ReplayLog.prototype.addCut
  let count = 0
  vi.spyOn(ReplayLog.prototype, 'addCut').mockImplementation(function (this: ReplayLog, cut) {
    if (++count % 2 !== 0) addCut.call(this, cut)
  })
  const crashes = async (): Promise<void> => {
    const stage = await running({}, 500)
    for (const name of ['w2', 'w3', 'w2', 'w3']) {
      stage.world.crash(name)
      await stage.run(3)
      stage.world.restart(name)
      await stage.run(3)
    }
  }
  await expect(crashes()).rejects.toThrow(/has other rows than when it was shown/)
})

test('times that are visible before they are durable', async () => {
  vi.spyOn(Settler.prototype, 'settle').mockImplementation(function (this: Settler, _fact, done) {
    ;(this as unknown as { term: Term }).term.guard(done)
  })
  const stage = await running()
  stage.world.crash('w2')
  stage.world.restart('c1')
  await expect(stage.run(10)).rejects.toThrow(/does not compute it again|the replay does not have it/)
})

test('new times that are shown while a lost process may still answer', async () => {
  vi.spyOn(methods(DataflowRun), 'isFenced').mockReturnValue(false)
  const stage = await running()
  stage.world.breakConnections('w3', 'c1')
  await stage.run(0.01)
  stage.world.partition('w3', 'c1')
  await expect(stage.run(3)).rejects.toThrow(/while w3 still shows generation 1/)
})

test('a replay that forgets what a follower needs', async () => {
  vi.spyOn(Dataflow.prototype, 'leastTold', 'get').mockImplementation(function (this: Dataflow) {
    return this.log.visible
  })
  const stage = await running({}, 5000)
  stage.world.crash('w2')
  await stage.run(5)
  expect([...stage.processes.values()].reduce((sum, process) => sum + process.resets, 0)).toBeGreaterThan(0)
})

test('a leader that does not look whether its lease has run out: the store does not let it write, and without that the check sees it', async () => {
  vi.spyOn(Term.prototype, 'leads').mockImplementation(function (this: Term) {
    return !this.ended
  })
  const paused = async (): Promise<void> => {
    const stage = await running({ coordinators: ['c1', 'c2'] })
    const first = stage.leader?.url === 'http://c1:7070' ? 'c1' : 'c2'
    stage.world.pause(first)
    await stage.run(6)
    stage.world.resume(first)
    await stage.run(3)
  }
  await paused()
  vi.spyOn(MemoryStore.prototype, 'write').mockImplementation(async function (this: MemoryStore, _lease, facts) {
    const { shared } = this as unknown as { shared: { facts: Map<string, Uint8Array> } }
    for (const { key, value } of facts) if (value !== null) shared.facts.set(key, value)
  })
  await expect(paused()).rejects.toThrow(/an older leader wrote|minted|visible|beginnings/)
})
