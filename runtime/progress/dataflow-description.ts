/** What the progress tracker knows of a dataflow that runs on several workers. */
import { MillraceError } from '../error.ts'
import type { RegionDescription } from './region-description.ts'

/** A loop region as a node of the dataflow. */
export interface RegionNode {
  readonly description: RegionDescription
  /** Outer times of the location `from` come in at `ingress`. An ingress without an input is closed. */
  readonly inputs: readonly { readonly from: number; readonly ingress: number }[]
  /** Outer times that leave at `egress` go on to the location `to`. */
  readonly outputs: readonly { readonly egress: number; readonly to: number }[]
}

/**
 * The locations outside of loops: outputs of operators (where capabilities are held) and targets of exchange edges
 * (messages under way), numbered in a topological order of the dataflow, regions included: every edge leads to a
 * higher number, and all inputs of a region are below all its outputs. The same on all workers.
 */
export interface DataflowDescription {
  readonly locations: number
  /** A time at `from` can result in the same time at `to`. */
  readonly edges: readonly { readonly from: number; readonly to: number }[]
  /** The locations whose frontier is wanted. */
  readonly queryPorts: readonly number[]
  /** The outputs where every worker holds one capability from the start. */
  readonly initialCapabilities: readonly number[]
  readonly regions: readonly RegionNode[]
  /** For messages: what to call a location. */
  readonly names?: readonly string[]
}

/** @throws MillraceError CONFIG if a location does not exist or the numbers are no topological order */
export function checkDataflow(dataflow: DataflowDescription): void {
  const { locations, edges, queryPorts, initialCapabilities, regions } = dataflow
  const exists = (location: number): void => {
    if (!(Number.isInteger(location) && location >= 0 && location < locations)) throw misfit(dataflow, location, 'does not exist')
  }
  for (const location of [...queryPorts, ...initialCapabilities]) exists(location)
  for (const { from, to } of edges) {
    exists(from)
    exists(to)
    if (from >= to) throw misfit(dataflow, to, `comes before what it follows (${nameOf(dataflow, from)}): a cycle must be a loop region`)
  }
  for (const region of regions) {
    const firstOutput = Math.min(Infinity, ...region.outputs.map(({ to }) => to))
    for (const { from, ingress } of region.inputs) {
      exists(from)
      if (from >= firstOutput) throw misfit(dataflow, from, 'feeds a loop region that it depends on')
      if (!region.description.ingress.includes(ingress))
        throw misfit(dataflow, from, `feeds location ${ingress} of a loop, which is no ingress`)
    }
    for (const { egress, to } of region.outputs) {
      exists(to)
      if (!region.description.egress.includes(egress))
        throw misfit(dataflow, to, `follows location ${egress} of a loop, which is no egress`)
    }
  }
}

function nameOf(dataflow: DataflowDescription, location: number): string {
  return dataflow.names?.[location] ?? `location ${location}`
}

function misfit(dataflow: DataflowDescription, location: number, problem: string): MillraceError {
  return new MillraceError('CONFIG', `dataflow: ${nameOf(dataflow, location)} ${problem}`)
}
