/** Mistakes in exchange: routing, frames, strings, and the counts of frames. */
import type { SeededBug } from './runner/seeded-bug.ts'

const programs = { caughtBy: 'tests/harness/programs.test.ts', tests: 'on [235] workers' }
const receiver = { file: 'runtime/channel/exchange-receiver.ts', ...programs }
const sender = { file: 'runtime/channel/exchange-sender.ts', ...programs }
const partition = { file: 'runtime/channel/partition.ts', ...programs }
const strings = { file: 'runtime/channel/string-channel.ts', caughtBy: 'tests/channel/string-channel.test.ts' }

export const bugs: readonly SeededBug[] = [
  {
    ...receiver,
    title: 'frames ahead of the frontier are passed on',
    find: '(inside !== null || batches[taken].time <= reached)',
    replace: 'true',
  },
  {
    ...receiver,
    title: 'frames are passed on in the order of their arrival',
    find: 'batches.sort((a, b) => a.time - b.time)',
    replace: 'batches.slice()',
  },
  {
    ...sender,
    file: 'runtime/channel/frame-sender.ts',
    title: 'frames that are sent are not counted',
    find: 'exchanger.count(target, time, 1)',
    replace: 'exchanger.count(target, time, 0)',
  },
  {
    ...receiver,
    title: 'rows that stay on their worker are not counted while they wait',
    find: 'if (this.inside === null) this.exchanger.count(this.id, batch.time, 1)',
    replace: '',
  },
  {
    ...receiver,
    title: 'frames that are taken stay counted',
    find: 'this.exchanger.count(this.id, batch.time, -1)',
    replace: 'this.exchanger.count(this.id, batch.time, 0)',
  },
  {
    ...sender,
    title: 'rows of a later time join an open frame',
    find: 'if (batch !== null && !inside && batch.time !== time) {',
    replace: 'if (batch !== null && !inside && batch.time > time) {',
    caughtBy: 'tests/channel/exchange.test.ts',
    tests: '.',
  },
  {
    file: 'worker/worker-dataflow.ts',
    title: 'what was gathered goes after the turn is published',
    find: `for (let i = 0; i < this.gathering.length; i++) this.gathering[i].flush()
    this.gathering.length = 0
    if (!quiet) return false
    this.publish()`,
    replace: `if (quiet) this.publish()
    for (let i = 0; i < this.gathering.length; i++) this.gathering[i].flush()
    this.gathering.length = 0
    if (!quiet) return false`,
    ...programs,
  },
  {
    ...programs,
    file: 'worker/worker-dataflow.ts',
    title: 'a receiver takes a time that others may still send at for over',
    find: '?.setFrontier(tracker.frontier(sender))',
    replace: '?.setFrontier(tracker.frontier(sender) + 1)',
  },
  {
    file: 'worker/worker-dataflow.ts',
    title: 'what was taken at the last time that is still sent at is told at once',
    find: '.frontier(sender) <= time',
    replace: '.frontier(sender) < time',
    caughtBy: 'tests/workers/worker.test.ts',
    tests: '.',
  },
  {
    file: 'worker/worker-dataflow.ts',
    title: 'capabilities wait like frames that were taken',
    find: 'return sender >= 0 && (this',
    replace: 'return sender < 0 || (this',
    caughtBy: 'tests/workers/worker.test.ts',
    tests: '.',
  },
  {
    file: 'runtime/channel/shard-sample.ts',
    title: 'a row that is looked at stands for as many whatever the size of its batch',
    find: 'BATCHES * stride',
    replace: 'BATCHES',
    caughtBy: 'tests/channel/shard-sample.test.ts',
  },
  {
    file: 'runtime/channel/shard-sample.ts',
    title: 'what was counted of a shard is never forgotten',
    find: 'if (this.sampled >= FADE_SAMPLES) this.fade()',
    replace: '',
    caughtBy: 'tests/channel/shard-sample.test.ts',
  },
  {
    file: 'runtime/channel/row-owners.ts',
    title: "of many workers one has another one's keys written over its own",
    find: 'parts[owner * stride + at] = key',
    replace: 'parts[owner * (stride - 99) + at] = key',
    caughtBy: 'tests/channel/exchange.test.ts',
    tests: 'many different keys',
  },
  {
    ...sender,
    title: 'every row arrives once',
    find: 'else gather(differences, 1, rows, first, count, batch.differences, at)',
    replace: 'else batch.differences.fill(1, at, at + count)',
  },
  {
    ...partition,
    title: 'of wide columns only the first word is sent',
    find: 'to[p + 1] = from[(rows[i] << 1) + 1]',
    replace: 'to[p + 1] = 0',
  },
  {
    ...strings,
    title: 'the sender does not notice that its ids stand for other strings',
    find: 'this.once && this.epoch !== this.dictionary.sweeps',
    replace: 'this.once && this.epoch < 0',
  },
  {
    ...strings,
    title: 'the receiver keeps its table although the epoch is another',
    find: 'this.pages = pages = []',
    replace: 'this.pages = pages',
  },
  {
    ...strings,
    title: 'strings that frames may still refer to are not kept',
    find: 'for (let i = 0; i < page.length; i++) dictionary.mark(page[i])',
    replace: '{}',
  },
  {
    ...strings,
    title: 'strings that did not fit count as told',
    find: 'this.forget(before, before)',
    replace: 'this.ids.length = this.strings.length = before',
  },
  {
    ...strings,
    title: 'null text arrives as a text',
    find: 'if (id === 0) continue\n        const page',
    replace: 'const page',
  },
  {
    ...strings,
    file: 'worker/worker.ts',
    title: 'rows that wait on a worker lose their strings',
    find: "for (const message of this.waiting) if (message.kind === 'frame') markFrame(dictionary, message)",
    replace: '',
    caughtBy: 'tests/workers/strings.test.ts',
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
  {
    file: 'runtime/channel/row-combiner.ts',
    title: 'small numbers that were added up come again',
    find: '    sums[word] = 0\n',
    replace: '',
    caughtBy: 'tests/channel/row-combiner.test.ts',
  },
  {
    file: 'runtime/channel/row-combiner.ts',
    title: 'rows that share a slot are taken for equal',
    find: 'if (row < n && words[2 * row] === low && words[2 * row + 1] === high) {',
    replace: 'if (row < n && words[2 * row] === low) {',
    caughtBy: 'tests/channel/row-combiner.test.ts',
  },
  {
    file: 'runtime/channel/row-owners.ts',
    title: 'one key of four stays where it is not owned',
    find: 'zero += 1 - w\n',
    replace: 'zero += 1\n',
    caughtBy: 'tests/channel/exchange.test.ts',
  },
  {
    file: 'runtime/channel/row-owners.ts',
    title: 'the owner of a text is remembered for the next text with its id',
    find: 'this.texts.fill(UNKNOWN)',
    replace: '',
    caughtBy: 'tests/channel/exchange.test.ts',
  },
  {
    file: 'runtime/data/key-hash.ts',
    title: 'negative keys are routed otherwise in the short way',
    find: '^ ((low >> 31) & ONES)',
    replace: '',
    caughtBy: 'tests/channel/exchange.test.ts',
  },
]
