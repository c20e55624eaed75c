/** Members that the coordinator reaches and that do not reach each other: who is left out. */

export interface Candidate {
  readonly process: string
  /** Larger: joined later. */
  readonly order: number
}

/** Pairs of members between which no connection could be made, whoever said so. */
export class BrokenLinks {
  private readonly links = new Map<string, Set<string>>()

  add(one: string, other: string): void {
    if (one === other) return
    this.of(one).add(other)
    this.of(other).add(one)
  }

  get size(): number {
    return this.links.size
  }

  /**
   * Whom to leave out so that all others reach each other: again and again the one with the most broken links, of several the
   * youngest. (The least set would be a minimum vertex cover; this one is found at once and blames whom one would blame.)
   */
  leaveOut(members: readonly Candidate[]): string[] {
    const left = [...members]
    const out: string[] = []
    for (;;) {
      let worst: Candidate | null = null
      let most = 0
      for (const one of left) {
        const count = left.filter((other) => this.links.get(one.process)?.has(other.process)).length
        if (count > most || (count === most && count > 0 && one.order > (worst as Candidate).order)) {
          worst = one
          most = count
        }
      }
      if (worst === null) return out
      out.push(worst.process)
      left.splice(left.indexOf(worst), 1)
    }
  }

  private of(process: string): Set<string> {
    let peers = this.links.get(process)
    if (peers === undefined) {
      peers = new Set()
      this.links.set(process, peers)
    }
    return peers
  }
}
