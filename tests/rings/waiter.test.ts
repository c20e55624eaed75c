import { describe, expect, it } from 'vitest'
import { Doorbell, Waiter } from '../../runtime/channel/doorbell.ts'
import { sharedAtomics } from '../../runtime/channel/ring-atomics.ts'

const SPINNING = 8

/** A waiter that finds no work and sleeps for no time: how often it looks for work in one wait. */
function waiting(most: number, others: number): { looks: () => number; board: Int32Array } {
  const board = new Int32Array(new SharedArrayBuffer(64))
  board[SPINNING] = others
  const doorbell = new Doorbell(board, 0, sharedAtomics)
  const waiter = new Waiter(doorbell, { words: board, index: SPINNING, most, always: false }, sharedAtomics)
  return {
    board,
    looks() {
      let looks = 0
      waiter.wait(() => {
        looks++
        return false
      }, 0)
      return looks
    },
  }
}

const WITHOUT_SPINNING = 2
const WITH_SPINNING = 3

describe('a waiting thread', () => {
  it('spins unless as many others do as may', () => {
    expect(waiting(1, 0).looks()).toBe(WITH_SPINNING)
    expect(waiting(1, 1).looks()).toBe(WITHOUT_SPINNING)
    expect(waiting(0, 0).looks()).toBe(WITHOUT_SPINNING)
    expect(waiting(3, 2).looks()).toBe(WITH_SPINNING)
  })

  it('counts as spinning only while it spins', () => {
    const { looks, board } = waiting(2, 1)
    looks()
    expect([board[SPINNING], board[0]]).toEqual([1, 0])
  })

  it('does not spin again soon after it has spun in vain, but once in a while', () => {
    const { looks } = waiting(1, 0)
    const first = Array.from({ length: 34 }, looks)
    expect(first.indexOf(WITH_SPINNING)).toBe(0)
    expect(first.lastIndexOf(WITH_SPINNING)).toBe(32)
    expect(first.filter((count) => count === WITH_SPINNING)).toHaveLength(2)
  })

  it('returns at once when there is work', () => {
    const board = new Int32Array(new SharedArrayBuffer(64))
    const doorbell = new Doorbell(board, 0, sharedAtomics)
    const waiter = new Waiter(doorbell, { words: board, index: SPINNING, most: 0, always: false }, sharedAtomics)
    waiter.wait(() => true, Number.POSITIVE_INFINITY)
    expect(board[0]).toBe(0)
  })
})
