/** What a dataflow thread does from its start to its end. */
import { sharedAtomics } from '../runtime/channel/ring-atomics.ts'
import type { ThreadSurroundings } from '../runtime/env/threads.ts'
import type { CreateActor } from './thread-actor.ts'
import { type ThreadData, ThreadLoop } from './thread-loop.ts'

/** What the starter of the threads was given for their module; `{}` if nothing. */
export function settingsOf<S extends object>({ data }: ThreadSurroundings): Partial<S> {
  return ((data as ThreadData).settings ?? {}) as Partial<S>
}

/** Runs until the thread is told to stop, or until something throws, which the main thread hears as `broken`. */
export function runDataflowThread(surroundings: ThreadSurroundings, createActor: CreateActor): void {
  const loop = new ThreadLoop(surroundings.data as ThreadData, surroundings, sharedAtomics)
  try {
    loop.run(createActor(loop))
  } catch (error) {
    loop.tellBroken(error)
  }
}
