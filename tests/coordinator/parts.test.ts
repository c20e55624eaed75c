import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CrashLoop } from '../../coordinator/crash-loop.ts'
import { decodeFromProcess } from '../../coordinator/from-process.ts'
import { refusal } from '../../coordinator/hello.ts'
import { History } from '../../coordinator/history.ts'
import { DEFAULT_LIMITS } from '../../coordinator/options.ts'
import { ReplayLog } from '../../coordinator/replay-log.ts'
import { sha256 } from '../../coordinator/sha256.ts'
import { BrokenLinks } from '../../coordinator/unreachable.ts'
import { encodeMessage } from '../../runtime/protocol/codec.ts'
import type { Heartbeat, Hello, Replay } from '../../runtime/protocol/control.ts'
import { asksLocalhost, isFromForeignPage, showsToken } from '../../runtime/protocol/request-guard.ts'

test('SHA-256 is what others compute', () => {
  expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      // Half a surrogate pair is no character, and has no bytes of its own.
      const whole = new TextDecoder().decode(new TextEncoder().encode(text))
      expect(sha256(whole)).toBe(createHash('sha256').update(whole).digest('hex'))
    }),
  )
})

test('a token is compared whole', () => {
  const shows = (given: string, expected: string): boolean =>
    showsToken(new Request('http://localhost/', { headers: { authorization: `Bearer ${given}` } }), expected)
  const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_'), minLength: 1 })
  fc.assert(fc.property(token, token, (given, expected) => shows(given, expected) === (given === expected)))
  expect(shows('aa', 'a')).toBe(false)
  expect(shows('', 'a')).toBe(false)
})

test('pages of other sites, and foreign names of this host, are told apart', () => {
  const request = (url: string, headers: Record<string, string> = {}): Request => new Request(url, { headers })
  expect(isFromForeignPage(request('http://127.0.0.1:7400/v1/jobs', { origin: 'http://example.com' }))).toBe(true)
  expect(isFromForeignPage(request('http://127.0.0.1:7400/v1/jobs', { origin: 'null' }))).toBe(true)
  expect(isFromForeignPage(request('http://127.0.0.1:7400/v1/jobs', { origin: 'http://127.0.0.1:7400' }))).toBe(false)
  expect(isFromForeignPage(request('http://127.0.0.1:7400/v1/jobs'))).toBe(false)
  for (const url of ['http://localhost:1/', 'http://127.0.0.1:1/', 'http://[::1]:1/']) expect(asksLocalhost(request(url))).toBe(true)
  for (const url of ['http://example.com/', 'http://127.0.0.1.example.com/', 'http://localhost.example.com/'])
    expect(asksLocalhost(request(url))).toBe(false)
})

describe('members that do not reach each other', () => {
  const members = ['a', 'b', 'c', 'd'].map((process, order) => ({ process, order }))
  const links = (...pairs: string[]): BrokenLinks => {
    const broken = new BrokenLinks()
    for (const [one, other] of pairs) broken.add(one, other)
    return broken
  }

  test('the one with more broken links is left out, then the younger one', () => {
    expect(links('ab').leaveOut(members)).toEqual(['b'])
    expect(links('ba', 'ab').leaveOut(members)).toEqual(['b'])
    expect(links('ab', 'ac').leaveOut(members)).toEqual(['a'])
    expect(links('ab', 'cd').leaveOut(members)).toEqual(['d', 'b'])
    expect(links().leaveOut(members)).toEqual([])
  })

  test('whoever is left reaches all others', () => {
    const pair = fc.tuple(fc.nat(7), fc.nat(7))
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const broken = new BrokenLinks()
        for (const [a, b] of pairs) broken.add(`${a}`, `${b}`)
        const all = Array.from({ length: 8 }, (_, i) => ({ process: `${i}`, order: i }))
        const out = broken.leaveOut(all)
        for (const [a, b] of pairs) expect(a === b || out.includes(`${a}`) || out.includes(`${b}`)).toBe(true)
      }),
    )
  })
})

test('generations that begin again and again wait, longer each time, and no more once it is quiet', () => {
  const loop = new CrashLoop(DEFAULT_LIMITS)
  let now = 0
  const waits: number[] = []
  for (let i = 0; i < 16; i++) {
    loop.note(now)
    waits.push(loop.wait(now) / 1000)
    now += 1000 + loop.wait(now)
  }
  expect(waits).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000])
  now += 40_000_000
  for (const expected of [0, 0, 500]) {
    loop.note(now)
    expect(loop.wait(now) / 1000).toBe(expected)
  }
})

test('history is bounded, and who tries in vain does not fill it', () => {
  let now = 0
  const heard: string[] = []
  const history = new History({ now: () => now, monotonic: () => now }, 20, ({ text }) => heard.push(text))
  history.add('default', 'it began')
  for (let i = 0; i < 100; i++) {
    now += 1_000_000
    history.addOnce(null, `refused ${i % 3}`)
  }
  expect(heard).toEqual(['it began', 'refused 0', 'refused 1', 'refused 2'])
  expect(history.events.map(({ text }) => text)).toEqual(['it began', 'refused 1', 'refused 2', 'refused 0'])
  expect(history.events[3].at).toBe('1970-01-01T00:01:40.000Z')
  for (let i = 0; i < 100; i++) history.add(null, `event ${i}`)
  expect(history.events).toHaveLength(20)
})

describe('messages of processes', () => {
  const hello: Hello = {
    kind: 'hello',
    protocol: { least: 1, most: 2 },
    cluster: 'c',
    process: 'w1-1',
    name: 'w1',
    group: 'default',
    threads: 2,
    address: 'http://w1:7000',
    admin: null,
    version: '0.2.0',
    held: null,
  }

  test('are taken as they are, without what this release does not know', () => {
    expect(decodeFromProcess(encodeMessage({ ...hello, later: true }))).toEqual(hello)
    expect(decodeFromProcess(encodeMessage({ kind: 'of a later release' }))).toBeNull()
    expect(decodeFromProcess(encodeMessage({ kind: 'constructor' }))).toBeNull()
  })

  test('statistics that are odd do not matter, nor do those that an earlier release does not have', () => {
    const dataflow = { dataflow: 0, complete: 5, holder: null, stateBytes: 1, rows: 2, errors: 0 }
    const heartbeat = (shards: unknown) => {
      const dataflows = [shards === undefined ? dataflow : { ...dataflow, shards }]
      const threads = [{ worker: 0, busy: 0, outboundBytes: 0, inboundMessages: 0, heapBytes: 0, dataflows }]
      const message = decodeFromProcess(encodeMessage({ kind: 'heartbeat', sentAt: 1, stats: { memoryBytes: 1, threads } }))
      return (message as Heartbeat).stats.threads[0].dataflows[0].shards
    }
    const told = { rows: 1000, busiest: [[1023, 100]] }
    expect(heartbeat(told)).toEqual(told)
    for (const odd of [undefined, null, 'many', { rows: 5 }, { rows: -1, busiest: [] }, { rows: 5, busiest: [[1024, 5]] }])
      expect(heartbeat(odd)).toBeNull()
  })

  test('positions are any JSON', () => {
    const position = { file: 'a', at: [1, 'x', { deep: null }], done: true }
    const report = { kind: 'report', generation: 1, dataflow: 0, live: true, waiting: false, complete: 5, told: null }
    const cuts = [{ input: 'i', partition: 'p', time: 5, position }]
    expect(decodeFromProcess(encodeMessage({ ...report, cuts }))).toEqual({ ...report, cuts })
  })

  test('garbage is a clear error', () => {
    expect(() => decodeFromProcess(encodeMessage({ ...hello, threads: 'two' }))).toThrow(/"hello" is not as it should be: threads/)
    expect(() => decodeFromProcess(encodeMessage({ ...hello, process: '' }))).toThrow(/process/)
    expect(() => decodeFromProcess(encodeMessage({ kind: 'report', generation: 1.5 }))).toThrow(/generation/)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeFromProcess(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PROTOCOL' })
        }
      }),
    )
  })

  test('who may join', () => {
    const check = (change: Partial<Hello>, others: Parameters<typeof refusal>[2] = []) => {
      const refused = refusal({ ...hello, ...change }, 'c', others, DEFAULT_LIMITS)
      return refused === null ? null : `${refused.code}${refused.retry ? ' retry' : ''}: ${refused.message}`
    }
    const other = { name: 'w2', group: 'default', protocol: { least: 1, most: 2 } }
    expect(check({}, [other])).toBeNull()
    expect(check({ cluster: 'other' })).toMatch(/^REFUSED: this is the cluster "c"/)
    expect(check({ name: 'a/b' })).toMatch(/^CONFIG: "a\/b" cannot be the name/)
    expect(check({ group: '' })).toMatch(/^CONFIG/)
    expect(check({ threads: 0 })).toMatch(/^CONFIG: w1 has 0 threads/)
    expect(check({ address: 'w1:7000' })).toMatch(/^CONFIG: w1 gave the address/)
    expect(check({ protocol: { least: 3, most: 4 } })).toMatch(
      /^PROTOCOL: w1 \(release 0.2.0\) speaks protocol 3 to 4, the coordinator 1 to 2/,
    )
    expect(check({ name: 'w2' }, [other])).toMatch(/^DUPLICATE_NAME retry: a process named "w2"/)
    expect(check({ protocol: { least: 2, most: 2 } }, [{ ...other, protocol: { least: 1, most: 1 } }])).toMatch(
      /^PROTOCOL: .*w2 of the same group only 1/,
    )
    expect(check({ protocol: { least: 2, most: 2 } }, [{ ...other, group: 'else', protocol: { least: 1, most: 1 } }])).toBeNull()
  })
})

describe('replay log', () => {
  const limits = { maximumReplayTimes: 10, maximumReplayCuts: 100 }
  const cut = (partition: string, time: number, position: number | null) => ({ input: 'i', partition, time, position })

  test('begins empty, and has cuts at each visible time', () => {
    const log = new ReplayLog(5, limits)
    expect([log.visible, log.since, log.first]).toEqual([5, 5, null])
    expect(log.replay()).toEqual({ times: [], cuts: [] })
    log.addCut(cut('a', 10, 1))
    log.addCut(cut('a', 11, 2))
    log.addCut(cut('b', 11, 7))
    log.addCut(cut('a', 12, 3))
    log.makeVisible([10, 11])
    expect([log.visible, log.since, log.first]).toEqual([11, 9, 10])
    expect(log.replay()).toEqual({ times: [10, 11], cuts: [cut('a', 10, 1), cut('a', 11, 2), cut('b', 11, 7)] })
    log.forgetOpen()
    log.makeVisible([20])
    expect(log.replay().cuts.filter(({ time }) => time === 20)).toEqual([cut('a', 20, 2), cut('b', 20, 7)])
  })

  test('a partition that did not move needs no cut', () => {
    const log = new ReplayLog(0, limits)
    log.addCut(cut('a', 1, 1))
    log.makeVisible([1, 2, 3])
    log.trim(2)
    expect(log.replay()).toEqual({ times: [2, 3], cuts: [cut('a', 2, 1), cut('a', 3, 1)] })
  })

  test('keeps what the slowest follower needs, and gives it up at the bound', () => {
    const log = new ReplayLog(0, limits)
    for (let time = 1; time <= 10; time++) {
      log.addCut(cut('a', time, time))
      log.makeVisible([time])
      log.trim(3)
    }
    expect([log.first, log.visible, log.since]).toEqual([3, 10, 2])
    for (let time = 11; time <= 30; time++) {
      log.addCut(cut('a', time, time))
      log.makeVisible([time])
      log.trim(3)
    }
    expect([log.first, log.visible, log.length]).toEqual([21, 30, 10])
  })

  test('many partitions are bounded too', () => {
    const log = new ReplayLog(0, { maximumReplayTimes: 1000, maximumReplayCuts: 100 })
    for (let time = 1; time <= 50; time++) {
      for (let p = 0; p < 10; p++) log.addCut(cut(`p${p}`, time, time))
      log.makeVisible([time])
      log.trim(1)
    }
    expect(log.visible).toBe(50)
    expect(log.length).toBeLessThanOrEqual(10)
  })

  test('what is said again must be the same', () => {
    const log = new ReplayLog(0, limits)
    log.addCut(cut('a', 1, 1))
    log.makeVisible([1])
    log.addCut(cut('a', 1, 1))
    expect(() => log.addCut(cut('a', 1, 2))).toThrow(/comes late/)
    expect(() => log.addCut(cut('b', 1, 1))).toThrow(/comes late/)
    log.addCut(cut('b', 1, null))
    log.makeVisible([5])
    log.trim(5)
    // Nobody knows any more.
    log.addCut(cut('a', 1, 2))
    expect(log.replay()).toEqual({ times: [5], cuts: [cut('a', 5, 1)] })
  })

  test('what is lost begins under a later time', () => {
    const log = new ReplayLog(0, limits)
    log.addCut(cut('a', 1, 1))
    log.addCut(cut('b', 2, 2))
    log.makeVisible([1, 2])
    log.addCut(cut('a', 3, 9))
    log.forgetOpen()
    log.beginAt(100)
    expect([log.visible, log.since, log.first]).toEqual([100, 99, 100])
    expect(log.replay()).toEqual({ times: [100], cuts: [cut('a', 100, 1), cut('b', 100, 2)] })
    const empty = new ReplayLog(0, limits)
    empty.beginAt(100)
    expect([empty.visible, empty.since, empty.replay().times.length]).toEqual([100, 100, 0])
  })

  test('is the same after it was stored, and as a plain model says', () => {
    const step = fc.record({
      partitions: fc.array(fc.tuple(fc.nat(3), fc.nat(5)), { maxLength: 4 }),
      visible: fc.nat(3),
      told: fc.nat(20),
      trims: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let log = new ReplayLog(0, limits)
        let minted = 0
        let open: number[] = []
        let visible: number[] = []
        const model = new Map<string, Map<number, number>>()
        for (const { partitions, visible: most, told, trims } of steps) {
          const time = ++minted
          open.push(time)
          for (const [p, by] of partitions) {
            const positions = model.get(`p${p}`) ?? new Map<number, number>()
            model.set(`p${p}`, positions)
            const position = Math.max(0, ...positions.values()) + by
            positions.set(time, position)
            log.addCut(cut(`p${p}`, time, position))
          }
          const ready = open.splice(0, most)
          log.makeVisible(ready)
          visible.push(...ready)
          if (trims) {
            log.trim(told)
            const from = visible.findLastIndex((one) => one <= told)
            visible = visible.slice(Math.max(0, from, visible.length - limits.maximumReplayTimes))
          }
          const { times, cuts }: Replay = log.replay()
          expect(times).toEqual(visible)
          const expected = [...model].flatMap(([partition, positions]) =>
            visible.flatMap((at) => {
              const last = [...positions].filter(([t]) => t <= at).at(-1)
              return last === undefined ? [] : [cut(partition, at, last[1])]
            }),
          )
          expect(new Set(cuts.map((one) => JSON.stringify(one)))).toEqual(new Set(expected.map((one) => JSON.stringify(one))))
          const stored = ReplayLog.restore(log.snapshot(), limits)
          expect(stored.replay()).toEqual(log.replay())
          if (told % 7 === 0) {
            log.forgetOpen()
            for (const positions of model.values()) for (const t of positions.keys()) if (t > (visible.at(-1) ?? 0)) positions.delete(t)
            open = []
            log = visible.length === 0 ? log : ReplayLog.restore(log.snapshot(), limits)
          }
        }
      }),
    )
  })
})
