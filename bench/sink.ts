/** Folds output changes into the protocol's checksum, which is linear: every change counts as it comes. */
export function hash2(a: number, b: number): number {
  return (Math.imul(a, 2654435761) ^ (Math.imul(b, 40503) + 1)) >>> 0
}

/** FNV-1a, 32 bit, over the characters of an ASCII string. */
export function fnv1a(s: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < s.length; i++) h = Math.imul(h ^ s.charCodeAt(i), 0x01000193)
  return h >>> 0
}

export class Sink {
  /** Sum of multiplicity * hash over the accumulated output, modulo 2^32. */
  checksum = 0
  /** Sum of multiplicities. */
  rows = 0
  /** Changes received. */
  diffs = 0

  emit(a: number, b: number, multiplicity: number): void {
    this.checksum = (this.checksum + Math.imul(multiplicity, hash2(a, b))) >>> 0
    this.rows += multiplicity
    this.diffs++
  }

  add({ checksum, rows, diffs }: Sink): void {
    this.checksum = (this.checksum + checksum) >>> 0
    this.rows += rows
    this.diffs += diffs
  }

  clear(): void {
    this.checksum = 0
    this.rows = 0
    this.diffs = 0
  }
}

const hashes = new Map<string, number>()

/** fnv1a of a string that is drawn from few. */
export function fnv1aCached(s: string): number {
  let h = hashes.get(s)
  if (h === undefined) {
    h = fnv1a(s)
    hashes.set(s, h)
  }
  return h
}

const low = (x: bigint): number => Number(BigInt.asUintN(32, x))
const high = (x: bigint): number => Number(BigInt.asUintN(32, x >> 32n))

/** Folds one output row (A.x, B.s, A.f, B.t) of the workload `wide`. */
export function emitWide(sink: Sink, x: bigint, s: string, f: number | null, t: bigint, multiplicity: number): void {
  const a = (low(x) ^ (f === null ? 0 : f * 65536)) >>> 0
  sink.emit(a, (high(x) ^ fnv1aCached(s) ^ low(t)) >>> 0, multiplicity)
}
