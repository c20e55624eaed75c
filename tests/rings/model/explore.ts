/**
 * An explicit-state model checker for code that shares memory.
 *
 * Processes are ordinary synchronous functions over `Machine`: they run until their next access to shared memory, which is
 * then one step among those that the checker may take next. To go on after a step, the function is run again from its last
 * rest with the results so far (they are functions of these). All interleavings of all accesses are explored, plain ones included;
 * states that come up again are visited once. Nobody times out.
 *
 * Checked: what the processes assert; that nobody is left asleep; that from every state all can still come to their ends; and
 * that no two processes are ever about to access one word, one of them writing and one not atomically. Without such races a weaker
 * memory order than the explored one cannot show (data-race freedom).
 */
import type { RingAtomics } from '../../../runtime/channel/ring-atomics.ts'

/** What a process knows between rounds: plain data. */
export type State = { readonly [field: string]: unknown }

export interface Process {
  readonly name: string
  readonly start: State
  /** Shared words that are not 0 at the beginning. */
  readonly memory?: readonly { readonly words: string; readonly index: number; readonly value: number }[]
  /** Some accesses, and the state then; null at the end. It must depend on nothing but the state and what it reads. */
  round(state: State, machine: Machine): State | null
}

export type Outcome =
  | { readonly kind: 'correct'; readonly states: number }
  | { readonly kind: 'wrong'; readonly what: string; readonly trace: readonly string[]; readonly states: number }

type Operation =
  | { readonly kind: 'load' | 'read'; readonly at: number }
  | { readonly kind: 'store' | 'write' | 'exchange' | 'add' | 'wait' | 'notify'; readonly at: number; readonly value: number }

/** Thrown by an access whose result is not known yet. */
class Suspended {
  readonly operation: Operation
  constructor(operation: Operation) {
    this.operation = operation
  }
}

const OK = 0
const NOT_EQUAL = 1

export class Machine {
  /** Addresses of words that were ever touched, in the order of their numbers. */
  readonly names: string[] = []
  private readonly numbers = new Map<string, number>()
  private readonly spaces = new Map<object, string>()
  private results: readonly number[] = []
  private cursor = 0

  readonly atomics: RingAtomics = {
    load: (words, index) => this.perform({ kind: 'load', at: this.address(words, index) }),
    store: (words, index, value) => {
      this.perform({ kind: 'store', at: this.address(words, index), value })
      return value
    },
    exchange: (words, index, value) => this.perform({ kind: 'exchange', at: this.address(words, index), value }),
    add: (words, index, value) => this.perform({ kind: 'add', at: this.address(words, index), value }),
    notify: (words, index, value) => this.perform({ kind: 'notify', at: this.address(words, index), value }),
    wait: (words, index, value) => (this.perform({ kind: 'wait', at: this.address(words, index), value }) === OK ? 'ok' : 'not-equal'),
  }

  /** Shared words; indexing them is an access that is not atomic. */
  words(space: string, length: number): Int32Array {
    const words = new Proxy(new Int32Array(0), {
      get: (_, key) =>
        key === 'length'
          ? length
          : key === 'buffer'
            ? words
            : this.perform({ kind: 'read', at: this.number(space, checked(Number(String(key)), length)) }),
      set: (_, key, value: number) => {
        this.perform({ kind: 'write', at: this.number(space, checked(Number(String(key)), length)), value })
        return true
      },
    })
    this.spaces.set(words, space)
    return words
  }

  /** The same memory as bytes, of which whole words can be copied in and out. */
  bytes(words: Int32Array): Uint8Array {
    return {
      set(source: Uint8Array, offset: number) {
        const padded = new Uint8Array((source.length + 3) & ~3)
        padded.set(source)
        new Int32Array(padded.buffer).forEach((word, i) => {
          words[(offset >> 2) + i] = word
        })
      },
      subarray(from: number, to: number) {
        const copy = new Int32Array((to - from + 3) >> 2)
        for (let i = 0; i < copy.length; i++) copy[i] = words[(from >> 2) + i]
        return new Uint8Array(copy.buffer, 0, to - from)
      },
    } as unknown as Uint8Array
  }

  /** Runs a round up to the first access without a result. */
  replay(process: Process, state: State, results: readonly number[]): { next: State | null } | { operation: Operation } {
    this.results = results
    this.cursor = 0
    try {
      return { next: process.round(structuredClone(state), this) }
    } catch (error) {
      if (error instanceof Suspended) return { operation: error.operation }
      throw error
    }
  }

  private perform(operation: Operation): number {
    if (this.cursor < this.results.length) return this.results[this.cursor++]
    throw new Suspended(operation)
  }

  private address(words: Int32Array, index: number): number {
    return this.number(this.spaces.get(words) as string, index)
  }

  number(space: string, index: number): number {
    const name = `${space}[${index}]`
    let number = this.numbers.get(name)
    if (number === undefined) {
      number = this.names.length
      this.numbers.set(name, number)
      this.names.push(name)
    }
    return number
  }
}

function checked(index: number, length: number): number {
  if (Number.isInteger(index) && index >= 0 && index < length) return index
  throw new Error(`access to word ${index} of ${length}`)
}

/** Where a process is: what it will do next, which is a function of its state and its results since. */
interface Place {
  readonly state: State
  readonly results: readonly number[]
  readonly operation: Operation | null
}

interface Configuration {
  readonly memory: readonly number[]
  /** By process: its place, as a number, and the word that it sleeps on or -1. */
  readonly places: readonly number[]
  readonly asleep: readonly number[]
}

class Wrong extends Error {}

export class Exploration {
  private readonly processes: readonly Process[]
  private readonly machine = new Machine()
  private readonly places: Place[] = []
  private readonly placeNumbers = new Map<string, number>()
  private readonly successors = new Map<string, number>()
  private readonly seen = new Map<string, number>()
  /** By state: where it was first come from, and by what. */
  private readonly parents: number[] = []
  private readonly steps: string[] = []
  private readonly edges: { readonly from: number; readonly to: number }[] = []
  private readonly ends: number[] = []

  constructor(processes: readonly Process[]) {
    this.processes = processes
  }

  run(maximumStates: number): Outcome {
    const stack: { number: number; configuration: Configuration }[] = []
    let at = -1
    const reach = (configuration: Configuration, from: number, step: string): void => {
      const key = `${configuration.memory.join()}|${configuration.places.join()}|${configuration.asleep.join()}`
      let number = this.seen.get(key)
      if (number === undefined) {
        number = this.seen.size
        if (number === maximumStates) throw new Wrong(`more than ${maximumStates} states`)
        this.seen.set(key, number)
        this.parents.push(from)
        this.steps.push(step)
        stack.push({ number, configuration })
      }
      if (from >= 0) this.edges.push({ from, to: number })
    }
    try {
      const places = this.processes.map((process, p) => this.place(p, process.start, []))
      const memory: number[] = []
      for (const { words, index, value } of this.processes.flatMap((process) => process.memory ?? []))
        memory[this.machine.number(words, index)] = value
      reach({ memory: Array.from(memory, (value) => value ?? 0), places, asleep: places.map(() => -1) }, -1, '')
      for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
        at = next.number
        this.expand(next.configuration, (configuration, step) => reach(configuration, at, step), at)
      }
      this.checkAllCanEnd((number) => {
        at = number
      })
    } catch (error) {
      const what = error instanceof Wrong ? error.message : String(error)
      return { kind: 'wrong', what, trace: this.trace(at), states: this.seen.size }
    }
    return { kind: 'correct', states: this.seen.size }
  }

  private expand(configuration: Configuration, reach: (next: Configuration, step: string) => void, number: number): void {
    const { places, asleep } = configuration
    const operations = places.map((place) => this.places[place].operation)
    this.checkRaces(operations, asleep)
    let awake = 0
    operations.forEach((operation, p) => {
      if (operation === null || asleep[p] >= 0) return
      awake++
      const word = this.machine.names[operation.at]
      const step = `${this.processes[p].name}: ${operation.kind} ${word}${'value' in operation ? ` ${operation.value}` : ''}`
      reach(this.take(configuration, p, operation), step)
    })
    if (awake > 0) return
    if (operations.every((operation) => operation === null)) this.ends.push(number)
    else {
      const sleepers = this.processes.filter((_, p) => operations[p] !== null).map(({ name }) => name)
      throw new Wrong(`${sleepers.join(' and ')} asleep, and nobody will wake them`)
    }
  }

  private take({ memory, places, asleep }: Configuration, p: number, operation: Operation): Configuration {
    const { at } = operation
    const nextMemory = [...memory]
    while (nextMemory.length <= at) nextMemory.push(0)
    const nextPlaces = [...places]
    const nextAsleep = [...asleep]
    const before = nextMemory[at]
    let result = before
    if (operation.kind === 'store' || operation.kind === 'write' || operation.kind === 'exchange') nextMemory[at] = operation.value
    else if (operation.kind === 'add') nextMemory[at] = (before + operation.value) | 0
    else if (operation.kind === 'wait') {
      if (before === operation.value) {
        nextAsleep[p] = at
        return { memory: nextMemory, places: nextPlaces, asleep: nextAsleep }
      }
      result = NOT_EQUAL
    } else if (operation.kind === 'notify') {
      let woken = 0
      for (let q = 0; q < places.length && woken < operation.value; q++) {
        if (nextAsleep[q] !== at) continue
        nextAsleep[q] = -1
        nextPlaces[q] = this.successor(q, places[q], OK)
        woken++
      }
      result = woken
    }
    nextPlaces[p] = this.successor(p, places[p], result)
    return { memory: nextMemory, places: nextPlaces, asleep: nextAsleep }
  }

  private successor(p: number, place: number, result: number): number {
    const key = `${place}:${result}`
    let next = this.successors.get(key)
    if (next === undefined) {
      const { state, results } = this.places[place]
      next = this.place(p, state, [...results, result])
      this.successors.set(key, next)
    }
    return next
  }

  /** Runs the process on to its next access. */
  private place(p: number, state: State, results: readonly number[]): number {
    for (let rounds = 0; rounds < 100; rounds++) {
      const known = this.placeNumbers.get(`${p}${JSON.stringify([state, results])}`)
      if (known !== undefined) return known
      const ran = this.machine.replay(this.processes[p], state, results)
      if ('operation' in ran) return this.addPlace(p, { state, results, operation: ran.operation })
      if (ran.next === null) return this.addPlace(p, { state: { ended: p }, results: [], operation: null })
      state = ran.next
      results = []
    }
    throw new Wrong(`${this.processes[p].name} goes round without looking at anything`)
  }

  private addPlace(p: number, place: Place): number {
    const key = `${p}${JSON.stringify([place.state, place.results])}`
    const known = this.placeNumbers.get(key)
    if (known !== undefined) return known
    this.placeNumbers.set(key, this.places.length)
    this.places.push(place)
    return this.places.length - 1
  }

  private checkRaces(operations: readonly (Operation | null)[], asleep: readonly number[]): void {
    operations.forEach((a, p) => {
      if (a === null || asleep[p] >= 0 || !(a.kind === 'read' || a.kind === 'write')) return
      operations.forEach((b, q) => {
        if (q === p || b === null || asleep[q] >= 0 || b.at !== a.at) return
        if (a.kind === 'write' || b.kind === 'write' || b.kind === 'store' || b.kind === 'exchange' || b.kind === 'add')
          throw new Wrong(`a race: ${a.kind} of ${this.processes[p].name}, ${b.kind} of ${this.processes[q].name}`)
      })
    })
  }

  private checkAllCanEnd(look: (number: number) => void): void {
    const sources: number[][] = this.parents.map(() => [])
    for (const { from, to } of this.edges) sources[to].push(from)
    const good = new Uint8Array(this.parents.length)
    const stack = [...this.ends]
    for (const end of stack) good[end] = 1
    for (let next = stack.pop(); next !== undefined; next = stack.pop())
      for (const source of sources[next])
        if (good[source] === 0) {
          good[source] = 1
          stack.push(source)
        }
    const bad = good.indexOf(0)
    if (bad < 0) return
    look(bad)
    throw new Wrong('from here it never comes to its end')
  }

  private trace(number: number): string[] {
    const steps: string[] = []
    for (let at = number; at > 0; at = this.parents[at]) steps.unshift(this.steps[at])
    return steps
  }
}
