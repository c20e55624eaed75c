/** Between the steps of a simulation all promises run until nothing more can happen without time. */

/** Every so many steps the host gets a turn of its own, so that its timers (those of a test's runner) are served. */
const STEPS_PER_TURN = 4096

/** Calls `step` until it returns false, and lets promises settle before each call. Rejects with what a step throws. */
export function stepSettled(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let steps = 0
    const next = (): void => {
      let more: boolean
      try {
        more = step()
      } catch (error) {
        reject(error)
        return
      }
      if (!more) resolve()
      else if (++steps % STEPS_PER_TURN === 0) hostTurn(next)
      else settle(next)
    }
    settle(next)
  })
}

/**
 * Node runs a tick only when no promise reaction is left, however long their chains: a thousandth of the cost of a turn of the
 * event loop under load, and as good, since everything in a simulation is promises and simulated time. Twice, because
 * reactions may have asked for ticks themselves (streams do).
 */
function settle(then: () => void): void {
  if (!hasTicks) {
    hostTurn(then)
    return
  }
  queueMicrotask(() => process.nextTick(() => queueMicrotask(() => process.nextTick(then))))
}

const hasTicks = typeof process === 'object' && typeof process.nextTick === 'function'

function hostTurn(then: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(then)
  else setTimeout(then, 0)
}
