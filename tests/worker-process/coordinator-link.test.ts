/** A process and its coordinators: how it finds the one that leads, what it holds a lease on, and what ends it. */
import { expect, test } from 'vitest'
import type { FromCoordinator, Hello } from '../../runtime/protocol/control.ts'
import { Script, SECOND, type Session, welcome } from './scripted-coordinator.ts'

const refusal = (fields: Partial<Extract<FromCoordinator, { readonly kind: 'refused' }>>): ((session: Session) => void) => {
  return (session) => {
    session.send({ kind: 'refused', code: 'REFUSED', message: 'no', retry: false, leader: null, ...fields })
    session.connection.close('refused')
  }
}

test('says who it is, and has a lease from when its heartbeat was sent', async () => {
  const script = new Script()
  script.listen('c')
  const { process } = script.process('w', null, { admin: 'http://w:9000' })
  expect(process.isLeased()).toBe(false)
  await script.until('it is leased', () => process.isLeased())
  const hello = script.session.last('hello')
  expect(hello).toMatchObject({
    cluster: 'test',
    name: 'w',
    group: 'default',
    threads: 2,
    address: 'http://w:7100',
    admin: 'http://w:9000',
    held: null,
  })
  expect(hello.process).toMatch(/^w-[0-9a-f]{16}$/)
  const before = script.session.all('heartbeat').length
  await script.run(1000)
  expect(script.session.all('heartbeat').length - before).toBe(4)
  expect(script.session.all('heartbeat')[0].stats).toEqual({ memoryBytes: 0, threads: [] })
  // No answers any more: the lease ends when what was promised has passed since the last answered heartbeat was sent.
  const { clock } = script.world.host('w')
  const { session } = script
  session.answersHeartbeats = false
  const answered = session.all('heartbeat').length
  await script.until('a heartbeat', () => session.all('heartbeat').length > answered)
  const { sentAt } = session.all('heartbeat')[answered - 1]
  await script.until('the lease is over', () => !process.isLeased())
  expect(clock.monotonic() - (sentAt + 1.5 * SECOND)).toBeLessThan(0.3 * SECOND)
  expect(clock.monotonic()).toBeGreaterThanOrEqual(sentAt + 1.5 * SECOND)
})

test('an answer that took long gives a short lease; clocks that jump change nothing', async () => {
  const script = new Script()
  script.listen('c')
  const { process } = script.process('w')
  await script.until('it is leased', () => process.isLeased())
  const { session } = script
  session.answersHeartbeats = false
  await script.run(1400)
  const { sentAt } = session.last('heartbeat')
  await script.until('the lease is over', () => !process.isLeased())
  script.world.jumpClock('w', -3600 * SECOND)
  const { clock } = script.world.host('w')
  session.send({ kind: 'heartbeat-answer', sentAt, leaseMilliseconds: 1500 })
  await script.until('it is leased', () => process.isLeased(), 100)
  await script.until('the lease is over', () => !process.isLeased())
  expect(clock.monotonic()).toBeLessThan(sentAt + 1.5 * SECOND + 0.3 * SECOND)
})

test('a coordinator that is silent is left for another one; a process that was stopped itself waits for a round', async () => {
  const script = new Script()
  script.listen('c')
  const { process } = script.process('w')
  await script.until('it is leased', () => process.isLeased())
  script.world.partition('w', 'c')
  await script.until('it noticed', () => !process.links.coordinator.connected, 3000)
  expect(process.links.coordinator.problem).toContain('nothing was heard')
  script.world.heal()
  await script.until('it is back', () => process.isLeased())
  script.world.pause('w')
  await script.run(60_000)
  expect(process.isLeased()).toBe(false)
  const sessions = script.sessions.length
  script.world.resume('w')
  await script.until('it is leased', () => process.isLeased(), 100)
  await script.run(1000)
  expect(script.sessions.length).toBe(sessions)
})

test('a standby names the leader; without one it asks the others in turn', async () => {
  const script = new Script()
  for (const host of ['c', 'd', 'e']) script.listen(host)
  script.answers.set('c', refusal({ code: 'FENCED', message: 'I stand by', retry: true, leader: 'http://e:7000' }))
  const coordinators = ['http://c:7000', 'http://d:7000']
  const { process } = script.process('w', null, { coordinators })
  await script.until('it is there', () => process.links.coordinator.connected, 200)
  expect(process.links.coordinator.url).toBe('http://e:7000')

  script.answers.set('c', refusal({ retry: true, message: 'nobody leads' }))
  script.answers.set('d', refusal({ retry: true, message: 'nobody leads' }))
  script.world.crash('e')
  await script.run(20_000)
  expect(process.links.coordinator).toMatchObject({ connected: false, problem: 'nobody leads' })
  // Bounded, and not in step: an attempt a second at least, each at most a second after the other.
  const attempts = script.sessions.length
  await script.run(20_000)
  expect(script.sessions.length - attempts).toBeGreaterThan(18)
  expect(script.sessions.length - attempts).toBeLessThan(45)
  script.answers.set('d', welcome(3))
  await script.until('it is there', () => process.links.coordinator.connected, 3000)
})

test('an older leader is not obeyed', async () => {
  const script = new Script()
  script.listen('c', welcome(5))
  const one = script.process('w')
  await script.prepare(one)
  await script.until('it is prepared', () => one.process.generation !== null)
  script.answers.set('c', welcome(4))
  script.session.connection.close('going')
  await script.run(3000)
  expect(one.process.links.coordinator).toMatchObject({ connected: false, epoch: 5 })
  expect(one.process.links.coordinator.problem).toContain('epoch 4')
  script.answers.set('c', welcome(6, true))
  await script.until('it is there', () => one.process.links.coordinator.connected)
  expect(one.process.generation?.generation).toBe(1)
})

test.each([
  [
    'the other release',
    (script: Script) => script.listen('c', refusal({ code: 'PROTOCOL', message: 'release 0.0.0 is too old' })),
    'release 0.0.0 is too old',
  ],
  [
    'a name that is taken',
    (script: Script) => script.listen('c', refusal({ code: 'DUPLICATE_NAME', message: 'w is taken' })),
    'w is taken',
  ],
])('refused for good ends it: %s', async (_, prepare, message) => {
  const script = new Script()
  prepare(script)
  const { ended, ports } = script.process('w')
  await script.until('it ends', () => ended.length > 0)
  expect(ended[0]?.message).toContain(message)
  expect(ports.every(({ terminated }) => terminated)).toBe(true)
  await script.run(5000)
  expect(script.sessions).toHaveLength(1)
})

test('a wrong token ends it, one that cannot be sent at once; a coordinator that is not there does not', async () => {
  const script = new Script()
  script.listen('c')
  const wrong = script.process('v', null, { token: 'wrong' })
  const impossible = script.process('u', null, { token: 'not possible' })
  const alone = script.process('w', null, { coordinators: ['http://nobody:7000'] })
  await script.until('they end', () => wrong.ended.length + impossible.ended.length === 2)
  expect(wrong.ended[0]?.code).toBe('REFUSED')
  expect(wrong.ended[0]?.message).not.toContain('wrong"')
  expect(impossible.ended[0]?.code).toBe('CONFIG')
  await script.run(60_000)
  expect(alone.ended).toEqual([])
  expect(alone.process.links.coordinator.problem).not.toBe(null)
  await script.world.settled(alone.process.stop(), SECOND)
  expect(alone.ended).toEqual([null])
})

test('garbage from the coordinator ends the connection and not the process; kinds and fields that are new are ignored', async () => {
  const script = new Script()
  script.listen('c')
  const { process, ended } = script.process('w')
  await script.until('it is leased', () => process.isLeased())
  script.session.send({ kind: 'applause', volume: 11 } as unknown as FromCoordinator)
  await script.run(100)
  expect(process.links.coordinator.connected).toBe(true)
  script.session.connection.send(new Uint8Array([1, 2, 3]))
  await script.until('it is gone', () => !process.links.coordinator.connected)
  await script.until('it is back', () => process.links.coordinator.connected)
  expect(ended).toEqual([])
})

test('leaves: says so, also to the next leader, and ends when it may, or after a while', async () => {
  const script = new Script()
  script.listen('c')
  const one = script.process('w')
  await script.prepare(one)
  const { process, ended, ports } = one
  await script.until('it is a member', () => process.generation !== null)
  const stopped = process.stop()
  expect(process.stop()).toBe(stopped)
  await script.until('it wants to leave', () => script.session.all('leaving').length === 1)
  script.answers.set('c', welcome(2, true))
  script.session.connection.close('going')
  await script.until('it wants to leave', () => script.sessions.length === 2 && script.sessions[1].all('leaving').length === 1)
  expect(process.generation).not.toBe(null)
  script.session.send({ kind: 'released' })
  await script.world.settled(stopped, SECOND)
  expect(ended).toEqual([null])
  expect(ports.every(({ terminated }) => terminated)).toBe(true)
  expect(process.isLeased()).toBe(false)

  const other = script.process('v')
  await script.prepare(other)
  await script.until('it is a member', () => other.process.generation !== null)
  const began = script.world.now
  await script.world.settled(other.process.stop(), 20 * SECOND)
  expect(script.world.now - began).toBeGreaterThan(14 * SECOND)
  const third = script.process('u')
  await script.until('it joined', () => third.process.links.coordinator.connected)
  script.session.send({ kind: 'released' })
  await script.until('it ends', () => third.ended.length === 1)
  expect(third.ended).toEqual([null])
})

test('a thread that breaks ends the process', async () => {
  const script = new Script()
  script.listen('c')
  const { ports, ended } = script.process('w')
  await script.until('it joined', () => script.sessions.length > 0)
  ports[1].say({ kind: 'broken', message: 'out of memory' })
  await script.until('it ends', () => ended.length > 0)
  expect(ended[0]?.message).toContain('dataflow thread 1 broke: out of memory')
})

test('what others must reach is said', async () => {
  const script = new Script()
  script.listen('c')
  const { process } = script.process('w', null, { listen: { host: 'w', port: 7100, advertise: 'https://w.example:443' } })
  let hello: Hello | null = null
  script.answers.set('c', (_, said) => {
    hello = said
  })
  await script.until('hello', () => hello !== null)
  expect(hello).toMatchObject({ address: 'https://w.example:443' })
  expect(process.address).toBe('https://w.example:443')
  const everywhere = new Script().process('w', null, { listen: { host: '0.0.0.0', port: 1 } })
  await expect(everywhere.process.start()).rejects.toMatchObject({ code: 'CONFIG', message: expect.stringContaining('advertise') })
  expect(() => new Script().process('w', null, { threads: 0 })).toThrow('at least one thread')
  expect(() => new Script().process('w', null, { coordinators: [] })).toThrow('no coordinator')
})
