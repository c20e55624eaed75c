/** Mistakes in exchange: routing, frames, and the counts of frames. */
import type { SeededBug } from './runner/seeded-bug.ts'

const programs = { caughtBy: 'tests/harness/programs.test.ts', tests: 'on [235] workers' }
const receiver = { file: 'runtime/channel/exchange.ts', ...programs }
const frame = { file: 'runtime/channel/frame.ts', ...programs }

export const bugs: readonly SeededBug[] = [
  {
    ...receiver,
    title: 'frames ahead of the frontier are passed on',
    find: '(inside !== null || frames[taken].time <= this.reached)',
    replace: 'true',
  },
  {
    ...receiver,
    title: 'frames are passed on in the order of their arrival',
    find: 'frames.sort((a, b) => a.time - b.time)',
    replace: 'frames.slice()',
  },
  {
    ...receiver,
    title: 'frames that are sent are not counted',
    find: 'countFrame(exchanger, frame, inside, 1)',
    replace: 'countFrame(exchanger, frame, inside, 0)',
  },
  {
    ...receiver,
    title: 'frames that are taken stay counted',
    find: 'countFrame(this.exchanger, frame, inside, -1)',
    replace: 'countFrame(this.exchanger, frame, inside, 0)',
  },
  {
    ...receiver,
    title: 'a receiver does not know of its first frontier',
    find: 'private reached = this.frontier',
    replace: 'private reached = 0',
  },
  { ...frame, title: 'a frame refers to the strings of the one before', find: 'this.positions.clear()', replace: '' },
  {
    ...frame,
    title: 'null text arrives as a text',
    find: 'from[i] === 0 ? 0 : ids[from[i] - 1]',
    replace: 'from[i] === 0 ? (ids[0] ?? 0) : ids[from[i] - 1]',
  },
  { ...frame, title: 'every row arrives once', find: 'differences[i] = batch.differences[rows[i]]', replace: 'differences[i] = 1' },
  {
    ...frame,
    title: 'of wide columns only the first word is sent',
    find: 'for (let w = 0; w < width; w++) out[i * width + w] =',
    replace: 'for (let w = 0; w < 1; w++) out[i * width + w] =',
  },
  {
    ...programs,
    file: 'runtime/data/key-hash.ts',
    title: '-0 and 0 go to different workers',
    find: 'low === 0 && high === -0x80000000 ? 0 : high',
    replace: 'high',
    caughtBy: 'tests/data/key-encoding.test.ts',
    tests: '.',
  },
]
