import { describe, expect, it } from 'vitest'
import type { ChildEnd } from '../../cli/processes/child.ts'
import { Lines } from '../../cli/processes/lines.ts'
import { FIRST_RESTART_MILLISECONDS, MAXIMUM_STARTS, SETTLED_MILLISECONDS, Supervisor } from '../../cli/processes/supervisor.ts'
import { LiveLine } from '../../cli/view/live-line.ts'
import { SimulatedEnvironment } from '../../runtime/env/simulated-environment.ts'

interface FakeChild {
  readonly index: number
  asked: string[]
  end(end: Partial<ChildEnd>): void
}

function supervised(count: number): {
  readonly clock: SimulatedEnvironment
  readonly supervisor: Supervisor
  readonly children: FakeChild[]
  readonly events: string[]
  readonly hopeless: () => boolean
} {
  const clock = new SimulatedEnvironment({ seed: 1 })
  const children: FakeChild[] = []
  const events: string[] = []
  let isHopeless = false
  const supervisor = new Supervisor({
    timers: clock.timers,
    names: Array.from({ length: count }, (_, i) => `worker-${i + 1}`),
    start: (index, onExit) => {
      const child: FakeChild = {
        index,
        asked: [],
        end: (end) => onExit({ code: null, signal: null, text: 'ended', ...end }),
      }
      children.push(child)
      return { pid: undefined, terminate: () => child.asked.push('terminate'), kill: () => child.asked.push('kill') }
    },
    onEvent: (text) => events.push(text),
    onGivenUp: () => {
      isHopeless = true
    },
  })
  return { clock, supervisor, children, events, hopeless: () => isHopeless }
}

describe('processes that run starts', () => {
  it('are started again, later each time', () => {
    const { clock, supervisor, children, events } = supervised(2)
    supervisor.start()
    expect(children.map(({ index }) => index)).toEqual([0, 1])
    children[1].end({ signal: 'SIGKILL', text: 'was killed (SIGKILL)' })
    expect(supervisor.living).toBe(1)
    expect(events).toEqual(['worker-2 was killed (SIGKILL); it is started again in 250 ms'])
    clock.advance(FIRST_RESTART_MILLISECONDS * 1000 - 1)
    expect(children).toHaveLength(2)
    clock.advance(1)
    expect(children[2].index).toBe(1)
    children[2].end({ code: 1, text: 'ended with code 1' })
    expect(events[1]).toBe('worker-2 ended with code 1; it is started again in 500 ms')
    clock.advance(500_000)
    // It was well for long enough: the next time counts as the first.
    clock.advance(SETTLED_MILLISECONDS * 1000)
    children[3].end({ code: 1, text: 'ended with code 1' })
    expect(events[2]).toBe('worker-2 ended with code 1; it is started again in 250 ms')
  })

  it('are given up when they never settle, and all together when none is left', () => {
    const { clock, supervisor, children, events, hopeless } = supervised(1)
    supervisor.start()
    for (let i = 0; i < MAXIMUM_STARTS; i++) {
      expect(children).toHaveLength(i + 1)
      expect(hopeless()).toBe(false)
      children[i].end({ code: 1, text: 'ended with code 1' })
      clock.advance(10_000_000)
    }
    expect(children).toHaveLength(MAXIMUM_STARTS)
    expect(hopeless()).toBe(true)
    expect(events.at(-1)).toBe('worker-1 ended with code 1 12 times in a row; it is not started again')
  })

  it('are not started again where that cannot help', () => {
    for (const code of [0, 2, 4]) {
      const { clock, supervisor, children, hopeless } = supervised(1)
      supervisor.start()
      children[0].end({ code, text: `ended with code ${code}` })
      clock.advance(60_000_000)
      expect(children).toHaveLength(1)
      expect(hopeless()).toBe(true)
    }
  })

  it('are asked to end, then ended by force', async () => {
    const { clock, supervisor, children } = supervised(3)
    supervisor.start()
    children[0].end({ code: 1 })
    let stopped = false
    const stopping = supervisor.stop(2000).then(() => {
      stopped = true
    })
    expect(children.map(({ asked }) => asked)).toEqual([[], ['terminate'], ['terminate']])
    children[1].end({ code: 0 })
    clock.advance(2_600_000)
    expect(children[2].asked).toEqual(['terminate', 'kill'])
    children[2].end({ signal: 'SIGKILL' })
    await stopping
    expect(stopped).toBe(true)
    // Neither the one that was to come, nor those that ended now.
    clock.advance(60_000_000)
    expect(children).toHaveLength(3)
  })
})

describe('lines', () => {
  it('of pieces, whole and bounded', () => {
    const found: string[] = []
    const lines = new Lines((line) => found.push(line))
    const bytes = new TextEncoder().encode('one\ntwö\nthree')
    for (const byte of bytes) lines.add(Uint8Array.of(byte))
    expect(found).toEqual(['one', 'twö'])
    lines.end()
    expect(found).toEqual(['one', 'twö', 'three'])
    for (let i = 0; i < 20; i++) lines.add(new Uint8Array(1000).fill(97))
    expect(found).toHaveLength(4)
    expect(found[3].length).toBeLessThan(18_000)
  })

  it('above one that stays, on a terminal', () => {
    let written = ''
    const write = (text: string): void => {
      written += text
    }
    const terminal = { write, isTTY: true, columns: 20, rows: 24 }
    const live = new LiveLine(terminal)
    live.set('a line that is longer than the terminal')
    live.print('event')
    live.close()
    live.print('end')
    expect(written).toBe('\r\x1b[2Ka line that is long\r\x1b[2Kevent\na line that is long\r\x1b[2Kend\n')
    written = ''
    const file = new LiveLine({ ...terminal, isTTY: false })
    file.set('state')
    file.print('event')
    file.close()
    expect(written).toBe('event\n')
  })
})
