/** The protocol's random source: 32-bit xorshift (Marsaglia, "Xorshift RNGs", 2003; shifts 13, 17, 5). */
export const DEFAULT_SEED = 1234567

export class Xorshift {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
    if (this.state === 0) throw new RangeError('the seed must not be 0 modulo 2^32: xorshift would stay there')
  }

  /** The next uint32. */
  next(): number {
    let s = this.state
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    this.state = s >>> 0
    return this.state
  }
}
