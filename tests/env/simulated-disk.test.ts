import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DiskFile } from '../../runtime/env/disk.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function content(file: DiskFile): Promise<string> {
  const buffer = new Uint8Array((await file.stat()).size)
  let at = 0
  while (at < buffer.length) at += await file.read(at, buffer.subarray(at))
  return new TextDecoder().decode(buffer)
}

describe('the simulated disk after a crash', () => {
  it('keeps what was synced and each unsynced write wholly, in part or not', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const { disk } = new SimulatedEnvironment({ seed })
      const file = await disk.open('/d/log', 'write')
      await file.write(0, encode('safe'))
      await file.sync()
      await disk.syncDirectory('/d')
      await file.write(4, encode('AB'))
      await file.write(6, encode('CD'))
      disk.crash()
      await expect(file.read(0, new Uint8Array(1))).rejects.toThrow('closed')
      const after = await content((await disk.open('/d/log', 'read')) as DiskFile)
      expect(after).toMatch(/^safe(|A|AB|AB?CD?|\0\0CD?|A\0CD?|ABCD?)$/)
      outcomes.add(after)
    }
    expect([...outcomes].sort()).toEqual(
      expect.arrayContaining(['safe', 'safeA', 'safeAB', 'safeABC', 'safeABCD', 'safe\0\0CD', 'safeA\0CD']),
    )
  })

  it('keeps a prefix of unsynced renames', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk } = new SimulatedEnvironment({ seed })
      await (await disk.open('a', 'write')).sync()
      await disk.syncDirectory('.')
      await disk.rename('a', 'b')
      await disk.rename('b', 'c')
      disk.crash()
      outcomes.add((await disk.list('.')).join())
    }
    expect([...outcomes].sort()).toEqual(['a', 'b', 'c'])
  })

  it('is the same for the same seed', () =>
    fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 10 }), async (seed, writes) => {
        const run = async (): Promise<string> => {
          const { disk } = new SimulatedEnvironment({ seed })
          const file = await disk.open('f', 'write')
          await disk.syncDirectory('.')
          for (const text of writes) await file.write((await file.stat()).size, encode(text))
          disk.crash()
          return content((await disk.open('f', 'read')) as DiskFile)
        }
        expect(await run()).toBe(await run())
      }),
      { numRuns: 50 },
    ))
})

describe('the simulated disk', () => {
  it('keeps a removed file for its open handles, and gives a new identity to its successor', async () => {
    const { disk } = new SimulatedEnvironment({ seed: 1 })
    const old = await disk.open('f', 'write')
    await old.write(0, encode('old'))
    await disk.remove('f')
    expect(await disk.stat('f')).toBeNull()
    const next = await disk.open('f', 'write')
    expect(await content(old)).toBe('old')
    expect((await old.stat()).links).toBe(0)
    expect((await next.stat()).identity).not.toBe((await old.stat()).identity)
    await next.write(0, encode('n'))
    await disk.rename('f', 'g')
    expect(await disk.list('/')).toEqual(['g'])
    await old.truncate(1)
    expect(await content(old)).toBe('o')
    await old.truncate(3)
    expect(await content(old)).toBe('o\0\0')
  })

  it('fills up and fails when told', async () => {
    const { disk } = new SimulatedEnvironment({ seed: 1, diskFaults: { capacity: 4 } })
    const file = await disk.open('f', 'write')
    await file.write(0, encode('1234'))
    await expect(file.write(4, encode('5'))).rejects.toThrow('no space left')
    disk.faults.fail = (operation) => {
      if (operation === 'stat') throw new Error('broken')
    }
    await expect(disk.stat('f')).rejects.toThrow('broken')
  })
})
