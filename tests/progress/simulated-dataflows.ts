/** Dataflows for the simulation, and one run of it. */
import type { RegionDescription } from '../../runtime/progress/region-description.ts'
import { deepLoop, nestedLoop, simpleLoop } from './region-graphs.ts'
import { type SimulatedDataflow, Simulation } from './simulation.ts'

/**
 * Twice a number of random steps, then everything published and delivered; then everything given up. Throws where a
 * frontier is past what can still appear, at any step, or not exactly at it when nothing is under way.
 */
export function simulate(dataflow: SimulatedDataflow, peers: number, steps: number, seed: number): void {
  const simulation = new Simulation(dataflow, peers, chooser(seed), seed & 1 ? 7 : 0)
  simulation.checkExact()
  for (let phase = 0; phase < 2; phase++) {
    for (let i = 0; i < steps; i++) simulation.step()
    simulation.settle()
    simulation.checkExact()
  }
  simulation.finish()
  simulation.checkExact()
  for (const { tracker } of simulation.workers) if (tracker.outstanding !== 0) throw new Error('something is counted that nobody holds')
}

/** Two sources, an exchange each, an operator that joins them. */
export const flat: SimulatedDataflow = {
  description: {
    locations: 6,
    edges: [
      { from: 0, to: 2 },
      { from: 1, to: 3 },
      { from: 2, to: 4 },
      { from: 3, to: 4 },
      { from: 4, to: 5 },
    ],
    queryPorts: [2, 3, 5],
    initialCapabilities: [0, 1],
    regions: [],
  },
  capabilities: [[0, 1, 4]],
  messages: [[2, 3, 5]],
}

/** A source, an exchange, a loop, an exchange behind it, and a second source that goes around the loop. */
function withLoop(region: RegionDescription, capabilities: number[], messages: number[]): SimulatedDataflow {
  return {
    description: {
      locations: 6,
      edges: [
        { from: 0, to: 2 },
        { from: 1, to: 4 },
        { from: 4, to: 5 },
      ],
      queryPorts: [2, 4, 5],
      initialCapabilities: [0, 1],
      regions: [
        {
          description: region,
          inputs: region.ingress.map((ingress, i) => ({ from: i === 0 ? 2 : 1, ingress })),
          outputs: [{ egress: 1, to: 4 }],
        },
      ],
    },
    capabilities: [[0, 1], capabilities],
    messages: [[2, 4, 5], messages],
  }
}

export const oneLoop = withLoop(simpleLoop, [3, 5], [4])
export const loopInLoop = withLoop(nestedLoop, [3, 7], [4, 6])
export const threeLoops = withLoop(deepLoop, [3, 6], [5, 7])

/** Two loops one after the other. */
export const twoLoops: SimulatedDataflow = {
  description: {
    locations: 3,
    edges: [],
    queryPorts: [1, 2],
    initialCapabilities: [0],
    regions: [
      { description: simpleLoop, inputs: [{ from: 0, ingress: 0 }], outputs: [{ egress: 1, to: 1 }] },
      { description: nestedLoop, inputs: [{ from: 1, ingress: 0 }], outputs: [{ egress: 1, to: 2 }] },
    ],
  },
  capabilities: [[0], [3], [3, 5]],
  messages: [[1, 2], [4], [6]],
}

/** A small generator of numbers below n (mulberry32), so that a seed is a schedule. */
function chooser(seed: number): (n: number) => number {
  let state = seed | 0
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}
