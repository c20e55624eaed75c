/** The code of jobs, fetched once by digest. */

/** More are forgotten, the one used longest ago first; a generation that needs it asks again. */
export const MAXIMUM_BUNDLES = 32

export class Bundles {
  private readonly ask: (digest: string) => void
  private readonly known = new Map<string, string>()
  private readonly wanted = new Map<string, ((code: string) => void)[]>()

  /** `ask` sends for a bundle; it comes back through `add`. */
  constructor(ask: (digest: string) => void) {
    this.ask = ask
  }

  get(digest: string): Promise<string> {
    const code = this.known.get(digest)
    if (code !== undefined) {
      this.known.delete(digest)
      this.known.set(digest, code)
      return Promise.resolve(code)
    }
    return new Promise((resolve) => {
      const waiting = this.wanted.get(digest)
      if (waiting === undefined) {
        this.wanted.set(digest, [resolve])
        this.ask(digest)
      } else waiting.push(resolve)
    })
  }

  add(digest: string, code: string): void {
    this.known.set(digest, code)
    if (this.known.size > MAXIMUM_BUNDLES) this.known.delete(this.known.keys().next().value as string)
    const waiting = this.wanted.get(digest) ?? []
    this.wanted.delete(digest)
    for (const resolve of waiting) resolve(code)
  }

  /** Asks again for all that did not come: the question, or the answer, may be lost. */
  askAgain(): void {
    for (const digest of this.wanted.keys()) this.ask(digest)
  }

  /** Nobody waits any more. */
  forget(): void {
    this.wanted.clear()
  }
}
