/** Sources that can be read again give again what they gave. */
import { expect, test } from 'vitest'
import { files } from '../../connectors/file/replayable-file.ts'
import { generated } from '../../connectors/generated.ts'
import { type GeneratedBatch, source } from '../../connectors/replayable-generator.ts'
import { int32, nullable, text } from '../../runtime/data/column-type.ts'
import { SeededRandom } from '../../runtime/env/seeded-random.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'
import type { ReplayableSource, SourceBatch } from '../../runtime/protocol/replayable-source.ts'
import { Writer } from './file/helpers.ts'
import { checkReplays, contentOf, openReader, readAll, readTo, settled } from './replayable-conformance.ts'

const PATH = '/log/words.csv'
const columns = { id: int32, word: nullable(text) }
const keyed = { columns, key: ['id'] }
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]

async function world(seed: number): Promise<{ env: SimulatedEnvironment; random: SeededRandom }> {
  const env = new SimulatedEnvironment({ seed, diskFaults: { shortReads: seed % 2 === 0, turns: seed % 3 } })
  await env.disk.makeDirectory('/log')
  return { env, random: new SeededRandom(seed) }
}

test.each(SEEDS)('generated rows, with and without a rate (%i)', async (seed) => {
  const { env, random } = await world(seed)
  const rows = (partition: number, index: number): object =>
    index % 7 === 3 ? { op: 'delete', rows: [{ id: index - 1 }] } : { id: index, word: `${partition}` }
  for (const rate of [undefined, 50_000]) {
    const one = generated({ partitions: 2, total: 3000, rows, ...(rate === undefined ? {} : { rate }) })
    expect(await one.partitions(env)).toEqual(['0', '1'])
    const first = await readAll(env, await openReader(env, one, keyed, '1', null))
    expect(contentOf(first).rows).toHaveLength(3000)
    expect(contentOf(first).rows.slice(2, 5)).toEqual([
      'upsert {"id":2,"word":"1"} at generated, row 2 of partition 1',
      'delete {"id":2}',
      'upsert {"id":4,"word":"1"} at generated, row 4 of partition 1',
    ])
    await checkReplays(env, one, keyed, '1', first, (bound) => random.below(bound))
  }
})

test('a rate is kept by the clock, and what is read again comes at once', async () => {
  const { env } = await world(1)
  const one = generated({ rate: 1000, rows: (_, id) => ({ id }) })
  const reader = await openReader(env, one, { columns }, '0', null)
  expect(await readTo(env, reader, 5000)).toHaveLength(5)
  expect(await reader.poll(null)).toBe(null)
  await env.run(10_000)
  expect((await reader.poll(null))?.position).toBe(5010)
  await env.run(1_000_000)
  expect((await reader.poll(null))?.position).toBe(6010)
  expect(reader.behind).toBe(false)
})

test.each(SEEDS)("a user's generator (%i)", async (seed) => {
  const { env, random } = await world(seed)
  const ticks = source({
    partitions: ['a', 'b'],
    async *read(partition, after): AsyncGenerator<GeneratedBatch> {
      const { from } = (after ?? { from: 0 }) as { from: number }
      for (let n = from; n < 60; n++) {
        if (n % 5 === 0) await new Promise<void>((resolve) => env.timers.setTimeout(resolve, 7))
        yield { position: { from: n + 1, of: [partition] }, rows: n % 9 === 0 ? [] : [{ id: n }, { id: n + 1000 }] }
      }
    },
  })
  const first = await readAll(env, await openReader(env, ticks, { columns }, 'b', null))
  expect(contentOf(first).rows).toHaveLength(106)
  await checkReplays(env, ticks, { columns }, 'b', first, (bound) => random.below(bound))
})

test("a user's generator that throws goes on behind what was taken; one that gives other batches is found out", async () => {
  const { env } = await world(1)
  let calls = 0
  const failing = source({
    partitions: ['a'],
    async *read(_, after) {
      calls++
      for (let n = Number(after ?? 0); n < 6; n++) {
        if (n === 3 && calls === 1) throw new Error('the exchange hung up')
        yield { position: n + 1, rows: [{ id: n }] }
      }
    },
  })
  const reader = await openReader(env, failing, { columns }, 'a', null)
  const before: SourceBatch[] = []
  for (let i = 0; i < 3; i++) before.push((await settled(env, reader.poll(null))) as SourceBatch)
  await expect(settled(env, reader.poll(null))).rejects.toMatchObject({
    code: 'SOURCE',
    message: 'the generator of partition a (source) failed: the exchange hung up',
  })
  const after = await readAll(env, reader)
  expect(contentOf([...before, ...after]).rows).toEqual([0, 1, 2, 3, 4, 5].map((id) => `insert {"id":${id}}`))

  const changing = source({
    partitions: ['a'],
    async *read() {
      yield { position: 10, rows: [{ id: 1 }] }
    },
  })
  const other = await openReader(env, changing, { columns }, 'a', null)
  await expect(settled(env, other.poll(7))).rejects.toMatchObject({ code: 'SOURCE', message: expect.stringContaining('ended at 7 before') })
  const wrong = source({ partitions: ['a'], read: async function* () { yield { rows: [] } as unknown as GeneratedBatch } }) // biome-ignore format: one line
  const third = await openReader(env, wrong, { columns }, 'a', null)
  await expect(settled(env, third.poll(null))).rejects.toMatchObject({
    code: 'SOURCE',
    message: expect.stringContaining('{ position, rows }'),
  })
})

/** Words for a CSV log: rows, commands, wrong lines, records over several lines. */
function line(random: SeededRandom, id: number): string {
  switch (random.below(8)) {
    case 0:
      return `delete,${id - 1},\n`
    case 1:
      return `,${id},"two\nlines, ${id}"\n`
    case 2:
      return `,${id},"three\n\n""lines"" ${id}"\n`
    case 3:
      return `,many,${id}\n`
    case 4:
      return `,${id},"a stray quote" here\n`
    default:
      return `,${id},w${id}\n`
  }
}

const HEADER = 'op,id,word\n'

/** Lines appended, rotated and copied away, with a reader that keeps up; returns what it read. */
async function written(env: SimulatedEnvironment, random: SeededRandom, one: ReplayableSource, moves: boolean): Promise<SourceBatch[]> {
  const writer = new Writer(env, PATH)
  await writer.append(HEADER)
  const reader = await openReader(env, one, keyed, PATH, null)
  const first: SourceBatch[] = []
  for (let id = 1; id <= 60; id++) {
    const text = line(random, id)
    const middle = random.below(text.length)
    await writer.append(text.slice(0, middle))
    if (random.below(3) === 0) first.push(...(await readAll(env, reader)))
    await writer.append(text.slice(middle))
    await env.run(1000)
    if (random.below(4) === 0) first.push(...(await readAll(env, reader)))
    const move = moves ? random.below(20) : -1
    if (move === 0) {
      await writer.rotate(false)
      await writer.append(HEADER)
    } else if (move === 1) {
      first.push(...(await readAll(env, reader)))
      await copyAndTruncate(env, writer)
      await writer.append(HEADER)
    }
  }
  first.push(...(await readAll(env, reader)))
  await reader.close()
  return first
}

/** As logrotate's `copytruncate`. */
async function copyAndTruncate(env: SimulatedEnvironment, writer: Writer): Promise<void> {
  const { disk } = env
  let n = 1
  while ((await disk.stat(`${PATH}.${n}`)) !== null) n++
  for (; n > 1; n--) await disk.rename(`${PATH}.${n - 1}`, `${PATH}.${n}`)
  const file = await disk.open(PATH, 'read')
  if (file === null) throw new Error('there is no file')
  const bytes = new Uint8Array((await file.stat()).size)
  for (let at = 0; at < bytes.length; ) at += await file.read(at, bytes.subarray(at))
  await file.close()
  await new Writer(env, `${PATH}.1`).append(bytes)
  await env.run(1000)
  await writer.truncate()
}

test.each(SEEDS)('a file, in batches of any size (%i)', async (seed) => {
  const { env, random } = await world(seed)
  const one = files({ path: PATH, pollBytes: 1 + random.below(200) })
  expect(await one.partitions(env)).toEqual([PATH])
  const first = await written(env, random, one, false)
  const { rows, rejected } = contentOf(first)
  expect(rows.length).toBeGreaterThan(20)
  expect(rejected.length).toBeGreaterThan(0)
  await checkReplays(env, one, keyed, PATH, first, (bound) => random.below(bound))
  // Whatever the size of the batches is by now.
  await checkReplays(env, files({ path: PATH, pollBytes: 1 + random.below(1000) }), keyed, PATH, first, (bound) => random.below(bound))
})

test.each([...SEEDS, ...SEEDS.map((seed) => 100 + seed)])('a file that is rotated and copied away while it is read (%i)', async (seed) => {
  const { env, random } = await world(seed)
  const one = files({ path: PATH, pollBytes: 1 + random.below(300) })
  const first = await written(env, random, one, true)
  await checkReplays(env, one, keyed, PATH, first, (bound) => random.below(bound))
})

test('opened where one file ends and the next begins: lines are of the content that they are of', async () => {
  const { env } = await world(1)
  const one = files({ path: PATH })
  const writer = new Writer(env, PATH)
  await writer.append(`${HEADER},1,a\n,2,b`)
  await env.run(1000)
  await writer.rotate(false)
  await writer.append(`${HEADER},wrong,c\n,4,d\n`)
  const first = await readAll(env, await openReader(env, one, keyed, PATH, null))
  expect(first).toHaveLength(3)
  expect(contentOf(first).rejected).toEqual([expect.stringContaining('"position":"line 2 of content 2"')])
  const places = contentOf(first).rows.map((row) => row.replace(/^.* at /, ''))
  expect(places).toEqual([`${PATH}, line 2`, `${PATH}, line 3`, `${PATH}, line 3 of content 2`])
  const reader = await openReader(env, one, keyed, PATH, first[1].position)
  expect(contentOf(await readAll(env, reader))).toEqual(contentOf(first.slice(2)))
})

test('lines that are gone are an error and nothing is skipped', async () => {
  const { env } = await world(1)
  const one = files({ path: PATH, pollBytes: 20 })
  const writer = new Writer(env, PATH)
  await writer.append(`${HEADER},1,a\n,2,b\n,3,c\n`)
  await env.run(1000)
  await writer.rotate(false)
  await writer.append(`${HEADER},4,d\n,5,e\n,6,f\n,7,g\n`)
  const first = await readAll(env, await openReader(env, one, keyed, PATH, null))
  expect(contentOf(first).rows).toHaveLength(7)
  const last = (first.at(-1) as SourceBatch).position

  const rewritten = new Writer(env, `${PATH}.1`)
  const restore = await env.disk.open(`${PATH}.1`, 'write')
  await restore.write(HEADER.length + 1, new TextEncoder().encode('9'))
  const other = await openReader(env, one, keyed, PATH, null)
  const poll = async (reader: typeof other): Promise<void> => {
    for (let i = 0; i < 100 && !reader.hasReached(last); i++) await reader.poll(last)
  }
  const gone = { code: 'SOURCE', message: expect.stringContaining(`the first 7 lines of ${PATH} are not those that were read before`) }
  await expect(poll(other)).rejects.toMatchObject(gone)
  await expect(poll(other)).rejects.toMatchObject(gone)
  await restore.write(HEADER.length + 1, new TextEncoder().encode('1'))
  expect(contentOf(await readTo(env, await openReader(env, one, keyed, PATH, null), last))).toEqual(contentOf(first))

  await rewritten.remove()
  await expect(poll(await openReader(env, one, keyed, PATH, null))).rejects.toMatchObject({
    code: 'SOURCE',
    message: expect.stringContaining('have 4 lines, and 7 were read before'),
  })
  await writer.append(',8,h\n,9,i\n,10,j\n')
  await expect(poll(await openReader(env, one, keyed, PATH, null))).rejects.toMatchObject(gone)
})

test('a file that is not there, or cannot be read, is an error that goes away with its cause', async () => {
  const { env } = await world(1)
  const one = files({ path: [PATH, '/log/other.jsonl'] })
  expect(await one.partitions(env)).toEqual([PATH, '/log/other.jsonl'])
  const reader = await openReader(env, one, keyed, PATH, null)
  const trouble = async (): Promise<unknown> => {
    for (let i = 0; i < 10; i++) {
      try {
        await reader.poll(null)
      } catch (error) {
        return error
      }
    }
    return null
  }
  expect(await trouble()).toMatchObject({ code: 'SOURCE', message: expect.stringContaining('there is no file at /log/words.csv') })
  await new Writer(env, PATH).append(`${HEADER},1,a\n`)
  env.disk.faults.fail = (operation) => {
    if (operation === 'read') throw Object.assign(new Error('input/output error'), { code: 'EIO' })
  }
  await expect(reader.poll(null)).rejects.toThrow('input/output error')
  env.disk.faults.fail = undefined as never
  expect(contentOf(await readAll(env, reader)).rows).toEqual([`upsert {"id":1,"word":"a"} at ${PATH}, line 2`])
  await expect(one.open(env, keyed, '/log/third.csv', null)).rejects.toMatchObject({ code: 'SOURCE' })
  await expect(one.open(env, keyed, PATH, 17)).rejects.toMatchObject({ code: 'SOURCE' })
  expect(() => files({ path: [] })).toThrow('no path')
  expect(() => files({ path: 'words.txt' })).toThrow('format')
})
