/** Plain definitions over directed graphs, for comparison. */

export interface Edge {
  readonly src: number
  readonly dst: number
}

export function successors(edges: Iterable<Edge>): Map<number, number[]> {
  const map = new Map<number, number[]>()
  for (const { src, dst } of edges) {
    const known = map.get(src)
    if (known === undefined) map.set(src, [dst])
    else known.push(dst)
  }
  return map
}

export function reachable(roots: Iterable<number>, edges: Iterable<Edge>): Set<number> {
  const next = successors(edges)
  const seen = new Set(roots)
  const open = [...seen]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const to of next.get(node) ?? []) {
      if (seen.has(to)) continue
      seen.add(to)
      open.push(to)
    }
  }
  return seen
}

/** The edges both of whose ends lie in one strongly connected component. */
export function strongEdges(edges: readonly Edge[]): Edge[] {
  return edges.filter(({ src, dst }) => reachable([dst], edges).has(src))
}

/** The least node of each node's component, by node. */
export function components(edges: readonly Edge[]): Map<number, number> {
  const both = edges.flatMap(({ src, dst }) => [
    { src, dst },
    { src: dst, dst: src },
  ])
  const ends = new Set(both.map(({ src }) => src))
  return new Map([...ends].map((node) => [node, Math.min(...reachable([node], both))]))
}
