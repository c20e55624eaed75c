/** Processes of a generation and each other: who connects, what goes over it, what breaks it, what holds sources back. */
import { expect, test } from 'vitest'
import { generated } from '../../connectors/generated.ts'
import { int32 } from '../../runtime/data/column-type.ts'
import type { Connection } from '../../runtime/env/connection.ts'
import { MillraceError } from '../../runtime/error.ts'
import { decodeMessage, encodeMessage } from '../../runtime/protocol/codec.ts'
import { PEER_PATH } from '../../runtime/protocol/control.ts'
import { FEED_WINDOW_BYTES } from '../../runtime/protocol/thread.ts'
import type { Answer, ServiceMessage } from '../../worker/process/peer-service.ts'
import { FRAMES, HEADER_BYTES, readHeader, writeHeader } from '../../worker/process/peer-wire.ts'
import { membersOf, Script, SECOND, type Started, TOKEN } from './scripted-coordinator.ts'

interface Note extends ServiceMessage {
  readonly n: bigint | number
  readonly bytes?: Uint8Array
}

async function linked(count: number, seed = 1): Promise<{ script: Script; all: Started[]; generation: number }> {
  const script = new Script(seed)
  script.listen('c')
  const all = Array.from({ length: count }, (_, i) => script.process(`w${i}`))
  const generation = await script.prepare(...all)
  await script.until('all are prepared', () => all.every(({ process }) => script.sessionOf(process.name).all('prepared').length > 0))
  return { script, all, generation }
}

const peer = (to: number, ...bytes: number[]) => ({ kind: 'peer', to, bytes: Uint8Array.from(bytes) }) as const

test('each is connected to each; frames go in order, small ones together, each as it was', async () => {
  const { script, all } = await linked(3)
  const [a, b] = all
  for (const { process } of all) expect(process.links.peers.filter(({ connected }) => connected)).toHaveLength(2)
  const large = new Uint8Array(200_000).map((_, i) => i)
  for (let n = 0; n < 500; n++) a.ports[n % 2].say(peer(2 + (n % 4 < 2 ? 0 : 1), n & 255, n >> 8, ...new Array(n % 11).fill(9)))
  a.ports[0].say({ kind: 'peer', to: 2, bytes: large })
  a.ports[0].say(peer(2, 1))
  await script.run(50)
  const got = [...b.ports[0].all('peer'), ...b.ports[1].all('peer')]
  expect(got).toHaveLength(502)
  for (const port of b.ports)
    for (const from of [0, 1]) {
      const numbers = port
        .all('peer')
        .filter((one) => one.from === from && one.bytes.length < 20 && one.bytes.length > 1)
        .map(({ bytes }) => bytes[0] + 256 * bytes[1])
      expect(numbers).toEqual([...numbers].sort((x, y) => x - y))
    }
  expect(b.ports[0].all('peer').at(-2)?.bytes).toEqual(large)
  expect(b.ports[0].all('peer').at(-1)?.bytes).toEqual(Uint8Array.of(1))
  for (const { bytes } of got.filter((one) => one.bytes.length > 1 && one.bytes.length < 20))
    expect(bytes.length).toBe(2 + ((bytes[0] + 256 * bytes[1]) % 11))
})

test('idle, two processes say less than 1 KB a second to each other', async () => {
  const { script, all } = await linked(2)
  const connections: Connection[] = []
  let bytes = 0
  let messages = 0
  for (const { process } of all) {
    const links = (process as unknown as { peers: { current: { links: Map<string, { connection: Connection }> } } }).peers.current.links
    for (const { connection } of links.values()) {
      const send = connection.send.bind(connection)
      connection.send = (message) => {
        bytes += message.length
        messages++
        send(message)
      }
      connections.push(connection)
    }
  }
  expect(connections).toHaveLength(2)
  await script.run(10_000)
  expect(messages).toBeGreaterThan(30)
  // A message's WebSocket, TCP and IP headers, and the acknowledgement of its packet: 100 bytes and 52.
  expect((bytes + messages * 160) / 10).toBeLessThan(1000)
})

test('a link that breaks is reported and stays broken; questions over it end', async () => {
  const { script, all, generation } = await linked(3)
  const [a, b] = all
  const ends: (MillraceError | null)[] = []
  b.process.service.onService(() => undefined)
  a.process.service.call(b.process.process, { kind: 'wait' }, { onReply: () => undefined, onEnd: (error) => ends.push(error) })
  await script.run(20)
  script.world.breakConnections('w0', 'w1')
  await script.until('both say so', () =>
    all.slice(0, 2).every(({ process }) => script.sessionOf(process.name).all('unreachable').length > 0),
  )
  expect(script.sessionOf('w0').last('unreachable')).toMatchObject({ generation, peers: [b.process.process] })
  expect(ends[0]?.code).toBe('UNREACHABLE')
  a.ports[0].say(peer(2, 1))
  await script.run(5000)
  expect(b.ports[0].all('peer')).toEqual([])
  expect(a.process.links.peers.find(({ process }) => process === b.process.process)?.connected).toBe(false)
  // Said again, in case it was not heard; and the next generation makes it whole.
  expect(script.sessionOf('w0').all('unreachable').length).toBeGreaterThan(1)
  await script.prepare(...all)
  await script.until('prepared again', () => all.every(({ process }) => script.sessionOf(process.name).all('prepared').length === 2))
  a.ports[0].say(peer(2, 1))
  await script.run(20)
  expect(b.ports[0].all('peer')).toHaveLength(1)
})

test('a peer that is silent is given up; one that was stopped itself gives the others time', async () => {
  const { script, all } = await linked(2)
  script.world.pause('w1')
  await script.until('it is reported', () => script.sessionOf('w0').all('unreachable').length > 0, 4000)
  expect(script.sessionOf('w0').last('unreachable').reason).toContain('nothing was heard')
  await script.prepare(all[0], all[1])
  await script.run(1000)
  expect(script.sessionOf('w0').all('prepared')).toHaveLength(1)
  await script.until('said that it is missing', () => script.sessionOf('w0').last('unreachable').generation === 2, 3000)
  script.world.resume('w1')
  await script.until('prepared', () => script.sessionOf('w0').all('prepared').length === 2, 3000)
})

test('half-open: the other machine is gone and nobody is told', async () => {
  const { script, all } = await linked(2)
  script.world.crash('w1', { halfOpen: true })
  await script.until('it is noticed', () => script.sessionOf('w0').all('unreachable').length > 0, 4000)
  expect(all[0].process.links.peers[0].connected).toBe(false)
})

test('a generation that is not known yet is waited for', async () => {
  const script = new Script()
  script.listen('c')
  const all = [script.process('w0'), script.process('w1')]
  await script.until('all have joined', () => all.every(({ process }) => process.links.coordinator.connected))
  const message = { kind: 'prepare', group: 'default', generation: 4, members: membersOf(all), owners: [0], protocol: 2 } as const
  script.sessionOf('w0').send(message)
  await script.run(1500)
  script.sessionOf('w1').send(message)
  await script.until('prepared', () => all.every(({ process }) => script.sessionOf(process.name).all('prepared').length === 1), 1000)
  expect(script.sessionOf('w0').all('unreachable')).toEqual([])
})

/** Connects as a peer would, and says something. */
async function intruder(script: Script, hello: object): Promise<{ answers: unknown[]; closed: string[]; connection: Connection }> {
  const connection = await script.world.settled(
    script.world.host('x').network.connect(`http://w1:7100${PEER_PATH}`, { token: TOKEN }),
    SECOND,
  )
  const answers: unknown[] = []
  const closed: string[] = []
  connection.onMessage = (bytes) => answers.push(decodeMessage(bytes))
  connection.onClose = (reason) => closed.push(reason)
  connection.send(hello instanceof Uint8Array ? hello : encodeMessage(hello))
  await script.run(100)
  return { answers, closed, connection }
}

test('whoever means another cluster, process, generation or protocol is refused', async () => {
  const { script, all, generation } = await linked(2)
  const [a, b] = all
  const hello = { kind: 'peer-hello', protocol: 2, cluster: 'test', generation, process: a.process.process, to: b.process.process }
  const refused: [object, string, boolean][] = [
    [{ ...hello, cluster: 'other' }, 'cluster test, not other', false],
    [{ ...hello, to: 'w1-0' }, 'not w1-0', false],
    [{ ...hello, generation: generation - 1 }, 'is over', false],
    [{ ...hello, generation: generation + 1 }, 'not known here yet', true],
    [{ ...hello, protocol: 1 }, 'speaks protocol 2, not 1', false],
    [{ ...hello, process: 'stranger' }, 'no member', false],
    [{ kind: 'hello' }, 'where worker processes connect', false],
  ]
  for (const [said, reason, retry] of refused) {
    const { answers, closed } = await intruder(script, said)
    expect(answers).toMatchObject([{ kind: 'peer-refused', reason: expect.stringContaining(reason), retry }])
    expect(closed).toHaveLength(1)
  }
  expect((await intruder(script, Uint8Array.of(1, 2, 3))).closed).toHaveLength(1)
  const silent = await script.world.settled(script.world.host('x').network.connect(`http://w1:7100${PEER_PATH}`, { token: TOKEN }), SECOND)
  let gone = false
  silent.onClose = () => (gone = true)
  await script.until('who says nothing is not waited for', () => gone, 5000)
  const elsewhere = script.world.host('x').network.connect('http://w1:7100/elsewhere', { token: TOKEN })
  await expect(script.world.settled(elsewhere, SECOND)).rejects.toMatchObject({ code: 'REFUSED' })
  // Nothing of this touched the link that there is.
  a.ports[0].say(peer(2, 5))
  await script.run(20)
  expect(b.ports[0].all('peer')).toHaveLength(1)
})

function frames(sequence: number, ...entries: [from: number, to: number, ...bytes: number[]][]): Uint8Array {
  const parts = entries.map(([from, to, ...bytes]) => [
    from & 255,
    from >> 8,
    to & 255,
    to >> 8,
    bytes.length,
    0,
    0,
    0,
    ...bytes,
    ...new Array((8 - (bytes.length % 8)) % 8).fill(0),
  ])
  const message = Uint8Array.from([...new Array(HEADER_BYTES).fill(0), ...parts.flat()])
  writeHeader(new DataView(message.buffer), sequence, FRAMES, entries.length)
  return message
}

test.each([
  ['doubled', [frames(0, [0, 2, 7]), frames(0, [0, 2, 7])], 'lost or doubled'],
  ['lost', [frames(0, [0, 2, 7]), frames(2, [0, 2, 8])], 'lost or doubled'],
  ['cut in half', [frames(0, [0, 2, 7, 8, 9]).subarray(0, 18)], 'ends within part 1'],
  ['longer than it says', [Uint8Array.from([...frames(0, [0, 2, 7]), ...new Array(9).fill(0)])], 'content'],
  ['too short', [Uint8Array.of(1, 2)], 'too short'],
  ["of another process's worker", [frames(0, [2, 3, 7])], 'sent a frame of worker 2'],
  ["for another process's worker", [frames(0, [0, 1, 7])], 'to worker 1'],
])('a message that is %s breaks the link', async (_, messages, reason) => {
  const script = new Script()
  script.listen('c')
  const one = script.process('w1')
  await script.until('joined', () => one.process.links.coordinator.connected)
  const other = { process: 'x-1', name: 'x', address: 'http://x:1', threads: 2, first: 0 }
  const own = { ...membersOf([one])[0], first: 2 }
  script.session.send({ kind: 'prepare', group: 'default', generation: 1, members: [other, own], owners: [0], protocol: 2 })
  await script.until('prepared', () => one.process.generation !== null)
  const hello = { kind: 'peer-hello', protocol: 2, cluster: 'test', generation: 1, process: 'x-1', to: one.process.process }
  const { answers, closed, connection } = await intruder(script, hello)
  expect(answers).toEqual([{ kind: 'peer-welcome' }])
  connection.onMessage = () => undefined
  expect(script.session.all('prepared')).toHaveLength(1)
  for (const message of messages) connection.send(message)
  await script.run(50)
  expect(closed).toHaveLength(1)
  expect(script.session.last('unreachable')).toMatchObject({ peers: ['x-1'], reason: expect.stringContaining(reason) })
  expect(one.ports[0].all('peer').length).toBeLessThanOrEqual(1)
  // Frames went: there is no second attempt in this generation.
  const again = await intruder(script, hello)
  expect(again.answers).toMatchObject([{ kind: 'peer-refused', retry: false }])
})

test('questions: replies in order, errors, streams, cancelled and unanswered ones, to oneself as to others', async () => {
  const { script, all } = await linked(2)
  const [a, b] = all
  const cancelled: string[] = []
  for (const { process } of all) {
    process.service.onService((message, answer: Answer) => {
      const { n } = message as Note
      if (message.kind === 'count') {
        for (let i = 0; i < Number(n); i++) answer.reply({ kind: 'n', n: BigInt(i), bytes: Uint8Array.of(i) } as Note)
        answer.end()
        answer.reply({ kind: 'late' })
      } else if (message.kind === 'fail') answer.end(new MillraceError('BAD_TIME', 'too early'))
      else answer.onCancel = () => cancelled.push(`${answer.process === process.process ? 'own' : 'other'} ${answer.isOpen}`)
    })
  }
  for (const to of [a, b]) {
    const heard: unknown[] = []
    const replies = {
      onReply: (message: ServiceMessage) => heard.push(message),
      onEnd: (error: MillraceError | null) => heard.push(error?.code ?? 'end'),
    }
    a.process.service.call(to.process.process, { kind: 'count', n: 3 } as Note, replies)
    expect(heard).toEqual([])
    await script.run(50)
    expect(heard).toEqual([...[0, 1, 2].map((i) => ({ kind: 'n', n: BigInt(i), bytes: Uint8Array.of(i) })), 'end'])
    a.process.service.call(to.process.process, { kind: 'fail' }, replies)
    await script.run(50)
    expect(heard.at(-1)).toBe('BAD_TIME')
    const call = a.process.service.call(to.process.process, { kind: 'wait' }, replies)
    await script.run(50)
    call.cancel()
    await script.run(50)
    expect(heard).toHaveLength(5)
  }
  expect(cancelled).toEqual(['own false', 'other false'])
  const heard: unknown[] = []
  const replies = { onReply: () => undefined, onEnd: (error: MillraceError | null) => heard.push(error?.code) }
  a.process.service.call('nobody', { kind: 'count' }, replies)
  b.process.service.onService(null)
  a.process.service.call(b.process.process, { kind: 'count' }, replies)
  await script.run(50)
  expect(heard).toEqual(['UNREACHABLE', 'UNREACHABLE'])
  // A new generation ends what is asked.
  a.process.service.call(a.process.process, { kind: 'count', n: 0 } as Note, replies)
  await script.run(50)
  expect(heard.at(-1)).toBe(undefined)
})

test('rows are read only while the other side takes what it is sent', async () => {
  const script = new Script()
  script.listen('c')
  const rows = generated({ rows: (_, id) => ({ id }) })
  const one = script.process('w0', { inputs: { numbers: { columns: { id: int32 } } }, sources: { numbers: rows } })
  const other = script.process('w1')
  const generation = await script.prepare(one, other)
  const session = script.sessionOf('w0')
  await script.until('prepared', () => session.all('prepared').length > 0)
  session.send({ kind: 'install', generation, dataflow: 7, job: { name: 'job', digest: 'd1' }, since: 0 })
  session.send({ kind: 'bundle', digest: 'd1', code: '' })
  await script.until('installed', () => session.all('installed').length > 0)
  // The other process's thread takes nothing: what comes for it waits there, and is not acknowledged.
  other.ports[0].waitingBytes = FEED_WINDOW_BYTES + 1
  for (let i = 0; i < 20; i++) one.ports[0].say({ kind: 'peer', to: 2, bytes: new Uint8Array(1 << 19) })
  await script.run(200)
  expect(other.ports[0].all('peer')).toHaveLength(20)
  session.send({
    kind: 'start',
    generation,
    dataflow: 7,
    assignments: [{ input: 'numbers', partition: '0', worker: 1 }],
    replay: { times: [], cuts: [] },
  })
  await script.run(1000)
  expect(one.ports[1].all('feed')).toEqual([])
  expect(one.process.sources).toMatchObject([{ input: 'numbers', rows: 0, paused: true, trouble: null }])
  other.ports[0].waitingBytes = 0
  other.ports[0].onDrain?.()
  await script.until('rows are read', () => one.ports[1].all('feed').length > 10, 100)
  expect(one.process.sources[0].rows).toBeGreaterThan(5000)
})

test('what is sent is what the header says', () => {
  expect(readHeader(frames(4_000_000_000, [1, 2, 3], [4, 5]))).toEqual({ sequence: 4_000_000_000, type: FRAMES, count: 2 })
})
