/** Scenarios that once failed, made smaller. */
import type { Scenario } from './scenario.ts'

const calm = { forceHash: false, interpret: false, collect: false }
const commit = { actions: 0, step: 1, faults: [] }

export const regressions: readonly { readonly title: string; readonly scenario: Scenario }[] = [
  {
    title: 'a receiver knows from the start that the first time of all may arrive',
    scenario: {
      ...calm,
      inputs: [{ kind: 'stream', types: [8, 7, 10] }],
      operators: [{ family: 'consolidate', args: [0] }],
      outputs: [1],
      commits: [{ ...commit, changes: [{ input: 0, values: [0, 0, 0], diff: 1 }] }],
      workers: 2,
      seed: 1016453971,
    },
  },
  {
    title: 'what an operator has taken and not answered is held, although its frontier is where its input stands',
    scenario: {
      ...calm,
      inputs: [
        { kind: 'table', types: [3, 0, 2] },
        { kind: 'table', types: [7, 2, 3] },
      ],
      operators: [{ family: 'threshold', args: [0, 847] }],
      outputs: [2],
      commits: [{ ...commit, changes: [{ input: 0, values: [0, 0, 0], diff: 1 }] }],
      workers: 2,
      seed: 411048300,
    },
  },
  {
    title: 'a join of append-only collections takes pairs back within a time, so it is not append-only itself',
    scenario: {
      ...calm,
      inputs: [
        { kind: 'stream', types: [2, 1] },
        { kind: 'table', types: [10, 3] },
      ],
      operators: [
        { family: 'flatMap', args: [0, 607] },
        { family: 'join', args: [2, 425] },
        { family: 'concat', args: [0, 307] },
        { family: 'aggregate', args: [4, 0, 681, 0, 0, 0, 462] },
      ],
      outputs: [5],
      commits: [{ ...commit, changes: [{ input: 0, values: [0, 0], diff: 1 }] }],
      workers: 1,
      seed: 670571693,
    },
  },
  {
    title: 'collections that differ in the names of columns share an index, and each is read with its own names',
    scenario: {
      ...calm,
      inputs: [{ kind: 'keyed', types: [0, 7] }],
      operators: [
        { family: 'reduce', args: [0] },
        { family: 'filterRows', args: [1] },
        { family: 'aggregate', args: [2, 295, 0, 0, 201, 576] },
      ],
      outputs: [3, 2],
      commits: [{ ...commit, changes: [{ input: 0, values: [0, 0], diff: 1 }] }],
      workers: 1,
      seed: 563848920,
    },
  },
  {
    title: 'the ids of evicted keys are not given to other keys',
    scenario: {
      ...calm,
      collect: true,
      inputs: [{ kind: 'keyed', types: [5, 0] }],
      operators: [],
      outputs: [0],
      commits: [
        { ...commit, changes: [{ input: 0, values: [3, 0], diff: 1 }], faults: [{ kind: 'cut' }] },
        { ...commit, changes: [{ input: 0, values: [12, 0], diff: 1 }] },
        { ...commit, changes: [{ input: 0, values: [3, 0], diff: -1 }], faults: [{ kind: 'evict', seed: 540 }] },
      ],
      workers: 1,
      seed: 495391614,
    },
  },
  {
    title: 'what is evicted comes back whole after a garbage collection',
    scenario: {
      ...calm,
      collect: true,
      inputs: [
        { kind: 'keyed', types: [11, 6, 8] },
        { kind: 'table', types: [10, 2, 1] },
      ],
      operators: [],
      outputs: [1],
      commits: [
        {
          ...commit,
          changes: [
            { input: 1, values: [0, 0, 0], diff: 1 },
            { input: 1, values: [0, 0, 3], diff: 1 },
          ],
          faults: [{ kind: 'cut' }],
        },
        { ...commit, changes: [{ input: 0, values: [0, 0, 0], diff: 1 }], faults: [{ kind: 'evict', seed: 600 }] },
      ],
      workers: 1,
      seed: 775061816,
    },
  },
]
