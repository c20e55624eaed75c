import { describe, expect, it } from 'vitest'
import { KEPT_BYTES } from '../../runtime/env/connection.ts'
import { KeptMessages } from '../../runtime/env/kept-messages.ts'

/** Messages of one byte by number, and the work that was put off. */
function kept() {
  const deferred: (() => void)[] = []
  const seen: string[] = []
  let rooms = 0
  const messages = new KeptMessages(
    (work) => void deferred.push(work),
    () => rooms++,
  )
  const listen = (bytes: Uint8Array): void => void seen.push(String(bytes[0]))
  return {
    messages,
    seen,
    listen,
    rooms: () => rooms,
    turn: () => {
      for (const work of deferred.splice(0)) work()
    },
    send: (...numbers: number[]) => {
      for (const n of numbers) messages.message(new Uint8Array([n]))
    },
  }
}

describe('messages that wait for a listener', () => {
  it('come in order, with those that arrive before it was their turn, and the end comes last', () => {
    const { messages, seen, listen, turn, send } = kept()
    send(1, 2)
    messages.onClose = (reason) => void seen.push(reason)
    messages.close('over')
    turn()
    messages.onMessage = listen
    send(3)
    expect(seen).toEqual([])
    turn()
    expect(seen).toEqual(['1', '2', '3', 'over'])
    messages.close('again')
    turn()
    expect(seen.length).toBe(4)
  })

  it('wait on when the listener takes itself away', () => {
    const { messages, seen, turn, send, listen } = kept()
    send(1, 2, 3)
    messages.onMessage = (bytes) => {
      listen(bytes)
      messages.onMessage = null
    }
    turn()
    expect(seen).toEqual(['1'])
    messages.onMessage = listen
    turn()
    send(4)
    expect(seen).toEqual(['1', '2', '3', '4'])
  })

  it('are bounded: full, and then room', () => {
    const { messages, turn, rooms } = kept()
    messages.message(new Uint8Array(KEPT_BYTES - 1))
    expect(messages.full).toBe(false)
    messages.message(new Uint8Array(1))
    expect(messages.full).toBe(true)
    messages.onMessage = () => undefined
    turn()
    expect([messages.full, rooms()]).toEqual([false, 1])
  })

  it('tell an end to a listener that comes after it', () => {
    const { messages, seen, turn } = kept()
    messages.close('over')
    turn()
    messages.onClose = (reason) => void seen.push(reason)
    expect(seen).toEqual([])
    turn()
    expect(seen).toEqual(['over'])
  })

  it('are forgotten by an end that closed', () => {
    const { messages, seen, listen, turn, send } = kept()
    send(1)
    messages.discard()
    messages.onClose = (reason) => void seen.push(reason)
    messages.close('over')
    send(2)
    turn()
    expect(seen).toEqual(['over'])
    messages.onMessage = listen
  })
})
