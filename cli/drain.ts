/** How a process ends that was asked to: it leaves properly, within a limit; who asks twice does not want to wait. */
import type { Context } from './context.ts'
import { EXIT_INTERRUPTED } from './exit.ts'

export interface Draining {
  /** Resolves when a signal came and `drain` is over, or its time; with whether it was in time. */
  readonly done: Promise<boolean>
  /** Signals are none of our business any more. */
  stop(): void
}

export interface DrainOptions {
  readonly seconds: number
  readonly say: (text: string) => void
  /** Leaves; called at the first signal. */
  readonly drain: () => Promise<void>
  /** Called at the second signal, before the process ends at once. */
  readonly force?: () => void
  /** The one signal that counts. Default: all. */
  readonly only?: string
}

export function drainOnSignal(context: Context, { seconds, say, drain, force, only }: DrainOptions): Draining {
  const { signals, environment } = context
  let asked = false
  let resolveDone: (inTime: boolean) => void = () => undefined
  const done = new Promise<boolean>((resolve) => {
    resolveDone = resolve
  })
  const listener = signals.listen((signal) => {
    if (only !== undefined && signal !== only) return
    if (asked) {
      say(`${signal} again: ends at once`)
      force?.()
      signals.exit(EXIT_INTERRUPTED)
    }
    asked = true
    say(`${signal}: leaves, within ${seconds} s; once more ends at once`)
    const timer = environment.timers.setTimeout(() => {
      say(`did not leave within ${seconds} s: ends all the same`)
      resolveDone(false)
    }, seconds * 1000)
    drain().then(
      () => {
        timer.clear()
        resolveDone(true)
      },
      (error: unknown) => {
        timer.clear()
        say(error instanceof Error ? error.message : String(error))
        resolveDone(false)
      },
    )
  })
  return { done, stop: () => listener.ignore() }
}
