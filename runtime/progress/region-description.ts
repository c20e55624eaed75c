/** What the progress tracker knows of a loop region, and which regions can be tracked. */
import { MillraceError } from '../error.ts'
import { MAX_DEPTH } from '../time/time-table.ts'
import { compose, type EdgeKind, edgeSummary, insertSummary, type PathSummary } from './path-summary.ts'

export interface RegionEdge {
  readonly from: number
  readonly to: number
  readonly kind: EdgeKind
}

/**
 * A region as a graph of locations: places where times can be held (an operator's output with its capabilities, an
 * exchange edge's target with the messages under way) or are asked for. A location is its position in `depths`. An
 * edge says that a time at `from` can result in a time at `to`: along a channel, or through an operator.
 */
export interface RegionDescription {
  /** Of each location: 0 outside of all loops, else the number of loops around it, at most 3. */
  readonly depths: readonly number[]
  readonly edges: readonly RegionEdge[]
  /** The locations, all inside the loops, whose frontier is wanted. */
  readonly queryPorts: readonly number[]
  /** The locations of depth 0 where outer times come in. */
  readonly ingress: readonly number[]
  /** The locations of depth 0 where outer times come out. */
  readonly egress: readonly number[]
  /** For messages: what to call a location. */
  readonly names?: readonly string[]
}

/** More minimal summaries than this between two locations mean a graph that nobody has written. */
const MAX_SUMMARIES = 1024

/**
 * @throws MillraceError CONFIG if depths and edges do not fit, or if a cycle does not strictly advance: at the least
 * deep level that it touches it needs a feedback, or a message could follow itself round for ever at one time
 */
export function checkRegion(region: RegionDescription): void {
  const { depths, ingress, egress } = region
  for (let location = 0; location < depths.length; location++) {
    const depth = depths[location]
    if (!(depth >= 0 && depth <= MAX_DEPTH)) throw misfit(region, location, `has depth ${depth}: loops nest at most ${MAX_DEPTH} deep`)
    const border = Number(ingress.includes(location)) + Number(egress.includes(location))
    if (border !== (depth === 0 ? 1 : 0)) throw misfit(region, location, 'of depth 0 must be an ingress or an egress, and no other may')
  }
  for (const port of region.queryPorts) if (!(depths[port] > 0)) throw misfit(region, port, 'is not inside a loop: it can be no query port')
  for (const { from, to, kind } of region.edges) {
    if (depths[from] === undefined || depths[to] === undefined)
      throw misfit(region, depths[from] === undefined ? from : to, 'does not exist')
    const allowed = kind === 'enter' ? depths[from] < MAX_DEPTH : kind === 'identity' || depths[from] > 0
    if (!allowed || edgeSummary(kind, depths[from]).to !== depths[to])
      throw misfit(region, to, `of depth ${depths[to]} cannot follow depth ${depths[from]} by ${kind}`)
    if (egress.includes(from) || ingress.includes(to)) throw misfit(region, to, 'follows an egress or is an ingress with an edge into it')
  }
  for (let location = 0; location < depths.length; location++)
    if (standsStill(region, location))
      throw misfit(region, location, 'lies on a cycle that does not advance: it needs a feedback at its depth')
}

/** Whether a cycle through `location` stays at its depth or deeper and has no feedback at its depth. */
function standsStill(region: RegionDescription, location: number): boolean {
  const depth = region.depths[location]
  const seen = new Set<number>()
  const open = [location]
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    for (const edge of region.edges) {
      if (edge.from !== from || region.depths[edge.to] < depth || (edge.kind === 'feedback' && region.depths[from] === depth)) continue
      if (edge.to === location) return true
      if (!seen.has(edge.to)) {
        seen.add(edge.to)
        open.push(edge.to)
      }
    }
  }
  return false
}

/**
 * The minimal summaries of all paths from each location to `target`, the empty path included. Paths are extended
 * backwards from the target as long as that gives summaries that no found one is at or below; since composition is
 * monotone that loses nothing, and since sequences of coordinates without an earlier one at or below a later one are
 * finite (Dickson's lemma) it ends, cycles or not.
 */
export function summariesTo(region: RegionDescription, target: number): PathSummary[][] {
  const found: PathSummary[][] = region.depths.map(() => [])
  const open: { location: number; path: PathSummary }[] = []
  const reach = (location: number, path: PathSummary): void => {
    if (!insertSummary(found[location], path)) return
    if (found[location].length > MAX_SUMMARIES) throw misfit(region, location, `has over ${MAX_SUMMARIES} ways to another`)
    open.push({ location, path })
  }
  reach(target, edgeSummary('identity', region.depths[target]))
  for (let last = open.pop(); last !== undefined; last = open.pop()) {
    if (!found[last.location].includes(last.path)) continue
    for (const edge of region.edges)
      if (edge.to === last.location) reach(edge.from, compose(edgeSummary(edge.kind, region.depths[edge.from]), last.path))
  }
  return found
}

function misfit(region: RegionDescription, location: number, problem: string): MillraceError {
  return new MillraceError('CONFIG', `loop: ${region.names?.[location] ?? `location ${location}`} ${problem}`)
}
