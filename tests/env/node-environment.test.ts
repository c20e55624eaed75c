import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { browserEnvironment } from '../../runtime/env/browser-environment.ts'
import type { DiskFile } from '../../runtime/env/disk.ts'
import { nodeEnvironment } from '../../runtime/env/node-environment.ts'

const env = nodeEnvironment()
let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-env-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('clock and randomness', () => {
  it('are microseconds and close to the host', () => {
    const before = Date.now() * 1000
    const now = env.clock.now()
    expect(Number.isSafeInteger(now)).toBe(true)
    expect(Math.abs(now - before)).toBeLessThan(50_000)
    let last = env.clock.monotonic()
    for (let i = 0; i < 1000; i++) {
      const next = env.clock.monotonic()
      expect(next).toBeGreaterThanOrEqual(last)
      last = next
    }
  })

  it('are never behind Date.now(), and never more than a few milliseconds ahead', () => {
    const { clock } = nodeEnvironment()
    const end = Date.now() + 50
    let last = 0
    for (let before = Date.now(); before < end; before = Date.now()) {
      const now = clock.now()
      expect(now).toBeGreaterThanOrEqual(before * 1000)
      expect(now).toBeLessThanOrEqual(Date.now() * 1000 + 2_000)
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
  })

  it('do not go back when the process is held up between its looks at two clocks', () => {
    const { clock } = nodeEnvironment()
    const wall = Math.floor(Date.now()) + 5
    const walls = vi.spyOn(Date, 'now').mockReturnValue(wall)
    const elapsed = vi.spyOn(performance, 'now')
    try {
      const since = performance.now()
      elapsed.mockReturnValue(since)
      expect(clock.now()).toBe(wall * 1000)
      elapsed.mockReturnValue(since + 0.9)
      const ahead = clock.now()
      expect(ahead).toBeGreaterThan(wall * 1000 + 800)
      elapsed.mockReturnValue(since + 30)
      expect(clock.now()).toBe(ahead)
    } finally {
      walls.mockRestore()
      elapsed.mockRestore()
    }
  })

  it('follow a wall clock that is set', () => {
    const real = Date.now()
    const clock = nodeEnvironment().clock
    const spy = vi.spyOn(Date, 'now').mockReturnValue(real - 3_600_000)
    try {
      expect(Math.abs(clock.now() - (real - 3_600_000) * 1000)).toBeLessThan(50_000)
    } finally {
      spy.mockRestore()
    }
    expect(Math.abs(clock.now() - Date.now() * 1000)).toBeLessThan(50_000)
  })

  it('give bytes beyond the host call limit', () => {
    const bytes = env.random.bytes(70_000)
    expect(bytes.subarray(66_000).some((byte) => byte !== 0)).toBe(true)
    expect(new Set(Array.from({ length: 1000 }, () => env.random.uint32())).size).toBeGreaterThan(990)
  })
})

describe('timers', () => {
  it('wait longer than the 32 bits of the host', () => {
    vi.useFakeTimers()
    try {
      let fired = 0
      env.timers.setTimeout(() => fired++, 30 * 86_400_000)
      vi.advanceTimersByTime(29 * 86_400_000)
      expect(fired).toBe(0)
      vi.advanceTimersByTime(86_400_000)
      expect(fired).toBe(1)
      const cleared = env.timers.setTimeout(() => fired++, 30 * 86_400_000)
      vi.advanceTimersByTime(29 * 86_400_000)
      cleared.clear()
      vi.advanceTimersByTime(10 * 86_400_000)
      expect(fired).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('in the background let the process exit', () => {
    const spy = vi.spyOn(globalThis, 'setTimeout')
    const timer = env.timers.setTimeout(() => undefined, 60_000, { background: true })
    const host = spy.mock.results[0].value as NodeJS.Timeout
    spy.mockRestore()
    expect(host.hasRef()).toBe(false)
    timer.clear()
  })
})

describe('disk', () => {
  it('reads, writes, renames, removes; absence is null, other failures say what', async () => {
    const path = join(directory, 'a')
    expect(await env.disk.open(path, 'read')).toBeNull()
    expect(await env.disk.stat(path)).toBeNull()
    expect(await env.disk.list(join(directory, 'none'))).toEqual([])
    await env.disk.makeDirectory(join(directory, 'sub', 'sub'))
    const file = await env.disk.open(path, 'write')
    await file.write(3, new Uint8Array([1, 2]))
    await file.write(0, new Uint8Array([9]))
    await file.sync()
    await env.disk.rename(path, join(directory, 'b'))
    await env.disk.syncDirectory(directory)
    expect(await env.disk.list(directory)).toEqual(['b', 'sub'])
    const reader = (await env.disk.open(join(directory, 'b'), 'read')) as DiskFile
    const target = new Uint8Array(10)
    expect(await reader.read(0, target)).toBe(5)
    expect([...target.subarray(0, 5)]).toEqual([9, 0, 0, 1, 2])
    expect(await reader.read(5, target)).toBe(0)
    expect((await reader.stat()).identity).toBe((await file.stat()).identity)
    expect(Math.abs((await reader.stat()).modified - env.clock.now())).toBeLessThan(10_000_000)
    await env.disk.remove(join(directory, 'b'))
    await env.disk.remove(join(directory, 'b'))
    expect((await reader.stat()).links).toBe(0)
    await file.truncate(1)
    expect((await reader.stat()).size).toBe(1)
    await Promise.all([file.close(), reader.close()])
    await expect(env.disk.open(join(directory, 'sub'), 'write')).rejects.toMatchObject({ code: 'STORE', name: 'MillraceError' })
  })
})

describe('the browser environment', () => {
  it('has clock, randomness and timers, and says that it has no disk', async () => {
    const browser = browserEnvironment()
    expect(Number.isSafeInteger(browser.clock.now())).toBe(true)
    await expect(browser.disk.stat('x')).rejects.toThrow('not possible in a browser')
    await expect(browser.network.serve({ port: 0 }, () => new Response())).rejects.toMatchObject({ code: 'CONFIG' })
  })
})
