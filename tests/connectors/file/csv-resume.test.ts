/** Wherever reading a CSV log stops, it goes on from the decoder's position as if it had not stopped. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvDecoder } from '../../../connectors/file/csv.ts'
import { FileFollower } from '../../../connectors/file/follow.ts'
import type { FilePosition } from '../../../connectors/file/position.ts'
import { int32, nullable, text } from '../../../runtime/data/column-type.ts'
import { SimulatedEnvironment } from '../../../runtime/env/simulated-environment.ts'
import { Writer } from './helpers.ts'

const LOG = '/log/a.csv'

interface Taken {
  readonly said: readonly string[]
  readonly resume: FilePosition
}

/** All of a log that nobody writes to, poll by poll. */
async function read(env: SimulatedEnvironment, pollBytes: number, from: FilePosition | null): Promise<Taken[]> {
  const lost: string[] = []
  const follower = new FileFollower(env, {
    path: LOG,
    header: true,
    keepCarriageReturns: true,
    includeRotated: true,
    onEvent: ({ kind, message }) => kind === 'position-lost' && lost.push(message),
    ...(from === null ? {} : { from }),
  })
  const decoder = csvDecoder({ columns: { id: int32, name: nullable(text) } })
  const taken: Taken[] = []
  for (;;) {
    const batch = await follower.poll(pollBytes)
    if (batch === null) {
      if (follower.behind) continue
      break
    }
    const { rows, bad, resume } = decoder.decode(batch)
    const place = ({ generation, line }: { generation: number; line: number }) => `${generation}:${line}`
    const said = [
      ...bad.map(({ position, message, excerpt }) => `${place(position)} ${message} ${excerpt}`),
      ...rows.map(({ position, row }) => `${place(position)} ${JSON.stringify(row)}`),
    ]
    taken.push({ said, resume })
  }
  await follower.close()
  expect(lost).toEqual([])
  return taken
}

async function checkEveryStop(files: readonly string[], pollBytes: number): Promise<Taken[]> {
  const env = new SimulatedEnvironment({ seed: 1 })
  await env.disk.makeDirectory('/log')
  const writer = new Writer(env, LOG)
  for (const [i, content] of files.entries()) {
    if (i > 0) await writer.rotate(false)
    await writer.append(content)
    env.advance(1_000_000)
  }
  const whole = await read(env, pollBytes, null)
  for (let stop = 0; stop < whole.length; stop++) {
    const before = whole.slice(0, stop + 1).flatMap(({ said }) => said)
    const after = (await read(env, pollBytes, whole[stop].resume)).flatMap(({ said }) => said)
    const all = whole.flatMap(({ said }) => said)
    expect([...before, ...after].sort(), `stopped after batch ${stop}`).toEqual(all.sort())
  }
  return whole
}

test('a file that ends within a record, without a line feed, is followed by another one', async () => {
  const whole = await checkEveryStop(['id,name\n1,a\n2,"open\nstill open', 'id,name\n4,d\n5,e\n'], 1000)
  expect(whole.flatMap(({ said }) => said)).toEqual([
    '0:2 {"id":1,"name":"a"}',
    '0:3 a quoted field is still open at the end of the file 2,"open',
    '0:4 the line has 1 fields, the header 2 still open',
    '1:2 {"id":4,"name":"d"}',
    '1:3 {"id":5,"name":"e"}',
  ])
})

test('any files, any polls', async () => {
  const line = fc.constantFrom('1,a', '2,"b"', '3,"open', 'still open', 'end"', '"4","x""y"', 'bad', '', '5,"two', 'lines"', '6,\r')
  const file = fc.record({ lines: fc.array(line, { minLength: 1, maxLength: 8 }), isComplete: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 60 }), async (files, pollBytes) => {
      const contents = files.map(({ lines, isComplete }) => `id,name\n${lines.join('\n')}${isComplete ? '\n' : ''}`)
      await checkEveryStop(contents, pollBytes)
    }),
    { numRuns: 200 },
  )
})
