import { expect, it } from 'vitest'
import { LineReader } from '../../../connectors/file/line-reader.ts'
import type { DiskFile } from '../../../runtime/env/disk.ts'
import { SimulatedEnvironment } from '../../../runtime/env/simulated-environment.ts'

it('finishes a file of which the header and an unfinished line came in one read', async () => {
  const { disk } = new SimulatedEnvironment({ seed: 1 })
  const handle = await disk.open('f', 'write')
  await handle.write(0, new TextEncoder().encode(`${'h'.repeat(1000)}\nrest`))
  const options = { maximumLineBytes: 5000, header: true, keepCarriageReturns: false, onEvent: (): void => undefined }
  const reader = new LineReader(handle, 'a', 'f', 0, options)
  expect(await reader.read(10_000)).toBeNull()
  expect(reader.atEnd).toBe(true)
  const next = new LineReader(handle, 'b', 'g', 1, options)
  expect(reader.finish(next)).toMatchObject({
    lines: ['rest'],
    lineNumbers: [2],
    offsets: [1001],
    header: 'h'.repeat(1000),
    end: { identity: 'b', generation: 1, offset: 0, line: 1 },
  })
})

it('notices that the file was written anew between two reads of one piece', async () => {
  const { disk } = new SimulatedEnvironment({ seed: 1 })
  const file = await disk.open('f', 'write')
  const write = (text: string): Promise<void> => file.write(0, new TextEncoder().encode(text))
  await write('one\ntwo\n')
  const events: string[] = []
  let reads = 0
  const handle: DiskFile = {
    ...file,
    read: async (offset, target) => {
      // The second piece comes from other content than the first.
      if (++reads === 4) {
        await file.truncate(0)
        await write('A\nB\nC\nD\nE\nF\nG\nH\n')
      }
      return file.read(offset, target.subarray(0, 10))
    },
  }
  const onEvent = (kind: string): void => void events.push(kind)
  const reader = new LineReader(handle, 'a', 'f', 0, { maximumLineBytes: 5000, header: false, keepCarriageReturns: false, onEvent })
  expect((await reader.read(100))?.lines).toEqual(['one', 'two'])
  await file.write(8, new TextEncoder().encode('three\n'))
  const lines: string[] = []
  for (let i = 0; i < 4; i++) lines.push(...((await reader.read(100))?.lines ?? []))
  expect(lines).toEqual(['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'])
  expect(events).toEqual(['truncated'])
})
