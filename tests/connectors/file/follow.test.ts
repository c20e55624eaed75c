import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { LineBatch } from '../../../connectors/file/position.ts'
import type { Environment } from '../../../runtime/env/environment.ts'
import { nodeEnvironment } from '../../../runtime/env/node-environment.ts'
import { SimulatedEnvironment } from '../../../runtime/env/simulated-environment.ts'
import { Reader, Writer } from './helpers.ts'

const root = mkdtempSync(join(tmpdir(), 'millrace-follow-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let directories = 0

const disks: [string, () => { env: Environment; path: string }][] = [
  ['simulated', () => ({ env: new SimulatedEnvironment({ seed: 1 }), path: '/data/log.jsonl' })],
  [
    'simulated with short reads',
    () => ({ env: new SimulatedEnvironment({ seed: 2, diskFaults: { shortReads: true } }), path: 'data/log.jsonl' }),
  ],
  ['real', () => ({ env: nodeEnvironment(), path: join(root, String(directories++), 'log.jsonl') })],
]

describe.each(disks)('following a file on the %s disk', (_, make) => {
  let env: Environment
  let path: string
  let writer: Writer
  const open = async (options: Partial<ConstructorParameters<typeof Reader>[1]> = {}): Promise<Reader> =>
    new Reader(env, { path, ...options })
  const fresh = async (): Promise<void> => {
    ;({ env, path } = make())
    await env.disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    writer = new Writer(env, path)
  }

  it('gives complete lines with their places, and a partial one when it is complete', async () => {
    await fresh()
    const reader = await open()
    await writer.append('one\ntw')
    await reader.all()
    await writer.append('o\r\n\nfo')
    await reader.all()
    await reader.all()
    await writer.append('ur\n')
    await reader.all()
    expect(reader.lines).toEqual(['one', 'two', '', 'four'])
    expect(reader.batches.flatMap((batch) => batch.lineNumbers)).toEqual([1, 2, 3, 4])
    expect(reader.batches.flatMap((batch) => batch.offsets)).toEqual([0, 4, 9, 10])
    expect(reader.batches.at(-1)?.end).toMatchObject({ generation: 0, offset: 15, line: 5 })
    expect(reader.kinds).toEqual(['opened'])
    await reader.follower.close()
    await expect(reader.follower.poll()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('waits for a file that is not there yet', async () => {
    await fresh()
    const reader = await open()
    await reader.all()
    await reader.all()
    expect(reader.kinds).toEqual(['missing'])
    await writer.append('a\n')
    await reader.all()
    expect(reader.kinds).toEqual(['missing', 'opened'])
    expect(reader.lines).toEqual(['a'])
    await reader.follower.close()
  })

  it('misses nothing of files that come and are rotated away while it waits', async () => {
    await fresh()
    await writer.append('old\n')
    await writer.rotate(false)
    const reader = await open()
    await reader.all()
    for (const text of ['a\n', 'b\n']) {
      await writer.append(text)
      await writer.rotate(false)
    }
    await writer.append('c\n')
    await reader.all()
    expect(reader.lines).toEqual(['a', 'b', 'c'])
    expect(reader.kinds).toEqual(['missing', 'opened', 'rotated', 'rotated'])
    await reader.follower.close()
  })

  it('joins UTF-8 that is split across reads, drops a byte order mark, reports what is not UTF-8', async () => {
    await fresh()
    const reader = await open()
    const bytes = new TextEncoder().encode('\ufeffgrün\n€uro \u{1f980}\n')
    for (const byte of bytes) {
      await writer.append(new Uint8Array([byte]))
      await reader.all(1)
    }
    expect(reader.lines).toEqual(['grün', '€uro \u{1f980}'])
    await writer.append(new Uint8Array([...new TextEncoder().encode('good\nb'), 0xff, 0x64, 10, 0xed, 0xa0, 0x80, 10, 0x65, 10]))
    await reader.all()
    expect(reader.lines.slice(2)).toEqual(['good', 'e'])
    expect(reader.bad.map(({ position, excerpt }) => [position.line, position.offset, excerpt])).toEqual([
      [4, 26, 'b\ufffdd'],
      [5, 30, '\ufffd\ufffd\ufffd'],
    ])
    expect(reader.bad[0].message).toContain('UTF-8')
    await reader.follower.close()
  })

  it('finishes a rotated file, then goes on with the new one', async () => {
    await fresh()
    const reader = await open()
    await writer.append('a\nb\n')
    await reader.all()
    const held = await env.disk.open(path, 'write')
    await writer.rotate(true)
    await reader.all()
    await held.write(4, new TextEncoder().encode('late\nlast'))
    await reader.all()
    expect(reader.kinds).toEqual(['opened'])
    await writer.append('new\n')
    await reader.all()
    await held.close()
    expect(reader.lines).toEqual(['a', 'b', 'late', 'last', 'new'])
    expect(reader.batches.map((batch) => [batch.generation, batch.lineNumbers])).toEqual([
      [0, [1, 2]],
      [0, [3]],
      [0, [4]],
      [1, [1]],
    ])
    expect(reader.kinds).toEqual(['opened', 'rotated'])
    expect(reader.events[1].message).toContain('line 4')
    await reader.follower.close()
  })

  it('finds the files of several rotations since the last poll', async () => {
    await fresh()
    await writer.append('before\n')
    await writer.rotate(false)
    await writer.append('a\n')
    const reader = await open()
    await reader.all()
    await writer.append('b\n')
    for (const text of ['c\n', 'd\n', '', 'e\n']) {
      await writer.rotate(text === '')
      if (text !== '') await writer.append(text)
    }
    await reader.all()
    expect(reader.lines).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(reader.kinds).toEqual(['opened', 'rotated', 'rotated', 'rotated'])
    await reader.follower.close()
    const all = await open({ includeRotated: true })
    await all.all()
    expect(all.lines).toEqual(['before', 'a', 'b', 'c', 'd', 'e'])
    await all.follower.close()
  })

  it('starts over when the file is truncated, and says so', async () => {
    await fresh()
    const reader = await open()
    await writer.append('first\nsecond\nthi')
    await reader.all()
    await writer.truncate()
    await reader.all()
    await writer.append('x\n')
    await reader.all()
    expect(reader.lines).toEqual(['first', 'second', 'x'])
    expect(reader.kinds).toEqual(['opened', 'truncated'])
    expect(reader.bad).toMatchObject([{ position: { generation: 0, line: 3, offset: 13 }, message: expect.stringContaining('truncated') }])
    expect(reader.batches.at(-1)).toMatchObject({ generation: 1, lineNumbers: [1], offsets: [0] })
    await reader.follower.close()
  })

  it('notices a truncation although the file has grown past the position again', async () => {
    await fresh()
    const reader = await open()
    await writer.append('first\nsecond\n')
    await reader.all()
    await writer.truncate()
    await writer.append('other\nlines\nand more of them\n')
    await reader.all()
    expect(reader.lines).toEqual(['first', 'second', 'other', 'lines', 'and more of them'])
    expect(reader.kinds).toEqual(['opened', 'truncated'])
    await reader.follower.close()
  })

  it('goes on when a writer cuts off only its own unfinished line', async () => {
    await fresh()
    const reader = await open()
    await writer.append('first\nsec')
    await reader.all()
    await writer.truncate(6)
    await reader.all()
    await writer.append('x\n')
    await reader.all()
    expect(reader.lines).toEqual(['first', 'x'])
    expect(reader.kinds).toEqual(['opened', 'truncated'])
    await reader.follower.close()
  })

  it('survives removal and a new file, reading what was still in the old one', async () => {
    await fresh()
    const reader = await open()
    await writer.append('a\n')
    await reader.all()
    await writer.append('b\n')
    await writer.remove()
    for (let i = 0; i < 5; i++) await reader.all()
    expect(reader.lines).toEqual(['a', 'b'])
    expect(reader.kinds).toEqual(['opened', 'missing'])
    await writer.append('c\n')
    await reader.all()
    expect(reader.lines).toEqual(['a', 'b', 'c'])
    expect(reader.kinds).toEqual(['opened', 'missing', 'recreated'])
    await reader.follower.close()
  })

  it('bounds a line: reported with its place, never held in memory, wherever it ends', async () => {
    await fresh()
    const reader = await open({ maximumLineBytes: 1000 })
    await writer.append(`ok\n${'x'.repeat(1001)}\nfine ${'y'.repeat(995)}\n`)
    await reader.all(100)
    expect(reader.lines).toEqual(['ok', `fine ${'y'.repeat(995)}`])
    expect(reader.bad).toMatchObject([{ position: { line: 2, offset: 3 }, message: 'the line has 1001 bytes; at most 1000 are read' }])
    for (let i = 0; i < 50; i++) {
      await writer.append('z'.repeat(999))
      await reader.all(100)
    }
    expect(reader.bad.length).toBe(1)
    expect(reader.kinds.filter((kind) => kind === 'long-line').length).toBeGreaterThan(0)
    await writer.append('\nafter\n')
    await reader.all(100)
    expect(reader.lines.at(-1)).toBe('after')
    expect(reader.bad[1]).toMatchObject({ position: { line: 4 }, message: `the line has ${50 * 999} bytes; at most 1000 are read` })
    expect(reader.bad[1].excerpt).toMatch(/^z+…$/)
    expect(reader.bad[1].excerpt.length).toBe(120)
    await writer.append('w'.repeat(2000))
    await reader.all(100)
    await writer.rotate(false)
    await writer.append('next\n')
    await reader.all(100)
    expect(reader.lines.at(-1)).toBe('next')
    expect(reader.bad[2]).toMatchObject({ position: { line: 6 }, message: 'the line has 2000 bytes; at most 1000 are read' })
    await reader.follower.close()
  })

  it('goes on from a position, also after rotations, and says if the file is another one', async () => {
    await fresh()
    await writer.append('head\na\nb\n')
    const first = await open({ header: true })
    await first.all()
    const { end } = first.batches.at(-1) as LineBatch
    await first.follower.close()
    const from = JSON.parse(JSON.stringify(end)) as typeof end
    await writer.append('c\n')
    await writer.rotate(false)
    await writer.append('head2\nd\n')
    await writer.rotate(false)
    await writer.append('head3\ne\n')
    const second = await open({ from, header: true })
    await second.all()
    expect(second.lines).toEqual(['c', 'd', 'e'])
    expect(second.batches.map((batch) => [batch.header, batch.generation, batch.lineNumbers])).toEqual([
      ['head', 0, [4]],
      ['head2', 1, [2]],
      ['head3', 2, [2]],
    ])
    await second.follower.close()
    const last = (second.batches.at(-1) as LineBatch).end
    await writer.truncate()
    await writer.append('HEAD4\nf\n')
    const third = await open({ from: last, header: true })
    await third.all()
    expect(third.lines).toEqual(['f'])
    expect(third.kinds).toEqual(['position-lost'])
    expect(third.batches[0].generation).toBe(3)
    await third.follower.close()
  })

  it('is an iterator that waits by the timers and ends when closed or aborted', async () => {
    await fresh()
    const reader = await open({ pollMilliseconds: 5 })
    const abort = new AbortController()
    const got: string[] = []
    let ended = false
    const loop = (async () => {
      for await (const batch of reader.follower.batches(abort.signal)) got.push(...batch.lines)
      ended = true
    })()
    const wait = async (until: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !until(); i++) {
        if (env instanceof SimulatedEnvironment) await env.run(1000)
        else await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    await writer.append('a\n')
    await wait(() => got.length === 1)
    await writer.append('b\nc\n')
    await wait(() => got.length === 3)
    expect(got).toEqual(['a', 'b', 'c'])
    abort.abort()
    await wait(() => ended)
    await loop
    await reader.follower.close()
  })
})

describe('failures of the disk', () => {
  it('are an event, once, and following goes on', async () => {
    const env = new SimulatedEnvironment({ seed: 1 })
    const writer = new Writer(env, '/log')
    await writer.append('a\n')
    const reader = new Reader(env, { path: '/log' })
    await reader.all()
    env.disk.faults.capacity = 100
    env.disk.crash()
    await env.disk.open('/log', 'write')
    await reader.all()
    await reader.all()
    expect(reader.kinds).toEqual(['opened', 'failed'])
    await reader.follower.close()
  })

  it('polls one at a time', async () => {
    const env = new SimulatedEnvironment({ seed: 1 })
    const reader = new Reader(env, { path: '/log' })
    const first = reader.follower.poll()
    await expect(reader.follower.poll()).rejects.toMatchObject({ code: 'REENTRANT' })
    await first
  })
})
