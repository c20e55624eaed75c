/**
 * The operations on shared memory that rings and doorbells order everything by. They are handed in, so that a model checker
 * can run every interleaving of them; a real thread hands in the language's own `Atomics`.
 */
export interface RingAtomics {
  load(words: Int32Array, index: number): number
  store(words: Int32Array, index: number, value: number): number
  /** These two return the value before. */
  exchange(words: Int32Array, index: number, value: number): number
  add(words: Int32Array, index: number, value: number): number
  /** Wakes at most `count` threads that wait on the word. */
  notify(words: Int32Array, index: number, count: number): number
  /** Sleeps while the word has the value and nobody notifies. */
  wait(words: Int32Array, index: number, value: number, milliseconds: number): 'ok' | 'not-equal' | 'timed-out'
}

export const sharedAtomics: RingAtomics = Atomics
