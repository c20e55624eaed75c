/** Threads as the engine needs them: they share memory, and are ended from outside. */
export interface Threads {
  /** Processor cores that this process may use. */
  readonly cores: number
  /** Runs a module in a new thread; `data` is copied to it, shared memory in it is shared. */
  spawn(entry: URL, data: unknown, options?: SpawnOptions): SpawnedThread
  /**
   * Sleeps without blocking: resolves once somebody notifies the word. Null, at once, if the word does not have the value. It
   * does not keep the process alive.
   */
  sleep(words: Int32Array, index: number, value: number): Promise<unknown> | null
  /** Calls back in a later turn of the event loop, after what is due for sockets and timers. */
  later(callback: () => void): void
}

export interface SpawnOptions {
  /** For tools that list threads. */
  readonly name?: string
  /** A thread whose heap grows above it ends. */
  readonly maximumHeapMegabytes?: number
}

export interface SpawnedThread {
  /** Called once: with what ended the thread, or null if it came to its end or was terminated. */
  onExit: ((error: Error | null) => void) | null
  /** Ends the thread, however busy it is; resolves when it is gone. */
  terminate(): Promise<void>
}

/** What a module that runs in a thread has of its surroundings. */
export interface ThreadSurroundings {
  /** As handed to `spawn`. */
  readonly data: unknown
  /** Microseconds since some start; for this thread only. */
  monotonic(): number
  /** Bytes of the thread's own heap and of the buffers that hang on it. */
  heapBytes(): number
}
