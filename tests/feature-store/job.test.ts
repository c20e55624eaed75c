/** The feature store's job, with the clock in hand. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { featureStore, WORST } from '../../examples/feature-store/job.ts'
import type { FeatureStoreApp } from '../../examples/feature-store/server.ts'
import { followFiles } from '../../files.ts'
import { embed } from '../../millrace.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import { Writer } from '../connectors/file/helpers.ts'

const DAY = 86_400_000_000
const WINDOW = 30 * DAY
const START = Date.UTC(2026, 0, 1) * 1000

let app: FeatureStoreApp
beforeEach(() => {
  app = embed(featureStore, { clock: () => START })
})
afterEach(() => app.close())

const fraud = (accountId: number, at: number) => ({ accountId, at: BigInt(at) })
const fraudsOf = (accountId: number): number | undefined => {
  const row = app.outputs.accountFrauds.get({ accountId })
  return row === undefined ? undefined : Number(row.frauds)
}

test('a fraud counts from its time to the microsecond before 30 days later, for all accounts of the owner', () => {
  app.inputs.accounts.upsertMany([
    { accountId: 1, ownerId: 7 },
    { accountId: 2, ownerId: 7 },
    { accountId: 3, ownerId: 8 },
  ])
  const at = START + 1_000_000
  app.inputs.frauds.insert(fraud(1, at))
  app.commit()
  expect([1, 2, 3, 4].map(fraudsOf)).toEqual([0, 0, 0, undefined])
  app.advanceTo(at - 1)
  expect(fraudsOf(2)).toBe(0)
  app.advanceTo(at)
  expect([1, 2, 3].map(fraudsOf)).toEqual([1, 1, 0])
  app.advanceTo(at + WINDOW - 1)
  expect([1, 2, 3].map(fraudsOf)).toEqual([1, 1, 0])
  app.advanceTo(at + WINDOW)
  expect([1, 2, 3].map(fraudsOf)).toEqual([0, 0, 0])
})

test('an account that changes owners takes its frauds along', () => {
  app.inputs.accounts.upsertMany([
    { accountId: 1, ownerId: 7 },
    { accountId: 2, ownerId: 7 },
    { accountId: 3, ownerId: 8 },
  ])
  app.inputs.frauds.insertMany([fraud(1, START - DAY), fraud(1, START - 2 * DAY), fraud(2, START - DAY)])
  app.commit()
  expect([1, 2, 3].map(fraudsOf)).toEqual([3, 3, 0])
  app.inputs.accounts.upsert({ accountId: 1, ownerId: 8 })
  app.commit()
  expect([1, 2, 3].map(fraudsOf)).toEqual([2, 1, 2])
  app.inputs.accounts.delete({ accountId: 1 })
  app.commit()
  expect([1, 2, 3].map(fraudsOf)).toEqual([undefined, 1, 0])
  // The frauds of an account that comes back are still known.
  app.inputs.accounts.upsert({ accountId: 1, ownerId: 9 })
  app.commit()
  expect([1, 2, 3].map(fraudsOf)).toEqual([2, 1, 0])
})

test('a late correction moves a fraud, also into and out of the window', () => {
  app.inputs.accounts.upsert({ accountId: 1, ownerId: 7 })
  app.inputs.frauds.insertMany([fraud(1, START - 40 * DAY), fraud(1, START - DAY)])
  app.commit()
  expect(fraudsOf(1)).toBe(1)
  app.inputs.frauds.remove(fraud(1, START - 40 * DAY))
  app.inputs.frauds.insert(fraud(1, START - 30 * DAY + 5))
  app.commit()
  expect(fraudsOf(1)).toBe(2)
  app.advanceTo(START + 5)
  expect(fraudsOf(1)).toBe(1)
  app.inputs.frauds.remove(fraud(1, START - DAY))
  app.inputs.frauds.insert(fraud(1, START - 31 * DAY))
  app.commit()
  expect(fraudsOf(1)).toBe(0)
})

test('the worst accounts are the ones with the most frauds', () => {
  for (let accountId = 1; accountId <= WORST + 10; accountId++) app.inputs.accounts.upsert({ accountId, ownerId: accountId })
  app.inputs.frauds.insertMany([fraud(55, START - DAY), fraud(55, START - DAY), fraud(60, START - DAY)])
  app.commit()
  const worst = app.outputs.worst.rows().map((row) => row.accountId)
  expect(worst).toHaveLength(WORST)
  expect(worst).toEqual([...Array.from({ length: WORST - 2 }, (_, i) => i + 1), 55, 60])
})

test('files with malformed lines, late and out-of-order ones: the bad lines have a place, the rest counts', async () => {
  const env = new SimulatedEnvironment({ seed: 3 })
  await env.disk.makeDirectory('/log')
  const accounts = new Writer(env, '/log/accounts.jsonl')
  const frauds = new Writer(env, '/log/frauds.jsonl')
  await accounts.append('{"accountId":1,"ownerId":7}\n{"accountId":1,"ownerId":\n{"accountId":3000000000,"ownerId":1}\n')
  const line = (at: number, op = 'insert') => `{"op":"${op}","accountId":1,"at":"${new Date(at / 1000).toISOString()}"}\n`
  await frauds.append(line(START - DAY) + line(START - 3 * DAY) + line(START - 2 * DAY) + line(START - 3 * DAY, 'remove'))
  await frauds.append(
    `{"accountId":1,"at":"soon"}\n{"accountId":1,"at":"2026-01-01T00:00:00Z","note":1}\n{"note":"${'x'.repeat(2_000_000)}"}\n`,
  )
  await frauds.append(line(START))
  await using feed = followFiles(featureStore, app, { accounts: accounts.path, frauds: frauds.path }, { environment: env })
  await feed.drain()
  expect(fraudsOf(1)).toBe(3)
  const places = app.outputs.accountFrauds.errors.rows().map(({ source, position }) => `${source} ${position}`)
  expect(places.sort()).toEqual([
    '/log/accounts.jsonl line 2',
    '/log/accounts.jsonl line 3',
    '/log/frauds.jsonl line 5',
    '/log/frauds.jsonl line 6',
    '/log/frauds.jsonl line 7',
  ])
  // Both outputs read both inputs.
  expect(app.outputs.worst.errors.rows()).toHaveLength(5)
})

test('any changes in any order give what the definition gives, at every time', () => {
  const small = fc.integer({ min: 1, max: 4 })
  const at = fc.integer({ min: -35, max: 5 }).map((days) => START + days * DAY)
  const change = fc.oneof(
    fc.record({ kind: fc.constant('account' as const), accountId: small, ownerId: small }),
    fc.record({ kind: fc.constant('gone' as const), accountId: small }),
    fc.record({ kind: fc.constant('fraud' as const), accountId: small, at }),
    fc.record({ kind: fc.constant('correction' as const), which: fc.nat(50), at }),
    fc.record({ kind: fc.constant('time' as const), days: fc.integer({ min: 1, max: 12 }), more: fc.integer({ min: -1, max: 1 }) }),
  )
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      let now = START
      using store = embed(featureStore, { clock: () => now })
      const owners = new Map<number, number>()
      const frauds: { accountId: number; at: number }[] = []
      for (const one of changes) {
        if (one.kind === 'account') {
          owners.set(one.accountId, one.ownerId)
          store.inputs.accounts.upsert({ accountId: one.accountId, ownerId: one.ownerId })
        } else if (one.kind === 'gone') {
          owners.delete(one.accountId)
          store.inputs.accounts.delete({ accountId: one.accountId })
        } else if (one.kind === 'fraud') {
          frauds.push({ accountId: one.accountId, at: one.at })
          store.inputs.frauds.insert(fraud(one.accountId, one.at))
        } else if (one.kind === 'correction') {
          if (frauds.length === 0) continue
          const index = one.which % frauds.length
          const old = frauds[index]
          frauds[index] = { accountId: old.accountId, at: one.at }
          store.inputs.frauds.remove(fraud(old.accountId, old.at))
          store.inputs.frauds.insert(fraud(old.accountId, one.at))
        } else {
          now = Math.max(now + 1, START + (Math.round((now - START) / DAY) + one.days) * DAY + one.more)
          const time = store.commit()
          const counted = frauds.filter((each) => each.at <= time && time < each.at + WINDOW)
          const expected = [...owners]
            .sort(([a], [b]) => a - b)
            .map(([accountId, ownerId]) => {
              const count = counted.filter((each) => owners.get(each.accountId) === ownerId).length
              return { accountId, ownerId, frauds: BigInt(count) }
            })
          expect(store.outputs.accountFrauds.scan()).toEqual(expected)
        }
      }
    }),
    { numRuns: 300 },
  )
})
