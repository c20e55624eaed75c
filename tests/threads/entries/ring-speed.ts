/** One of two threads that measure a ring: messages a second in one direction, and round trips. */
import { Waiter } from '../../../runtime/channel/doorbell.ts'
import { sharedAtomics } from '../../../runtime/channel/ring-atomics.ts'
import type { RingOutbox } from '../../../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../../../runtime/channel/ring-reader.ts'
import { nodeThreadSurroundings } from '../../../runtime/env/node-thread-surroundings.ts'
import { encodeMessage } from '../../../runtime/protocol/codec.ts'
import { CONTROL, MeshEnd } from '../../../worker/local-mesh.ts'
import type { ParallelData, Reported } from '../../../worker/parallel-thread.ts'

export interface RingSpeedData {
  readonly measure: 'throughput' | 'round trips'
  readonly messages: number
  readonly bytes: number
  /** Nobody spins. */
  readonly parked: boolean
}

/** What waits for room at most. */
const WAITING_BYTES = 1 << 20

const surroundings = nodeThreadSurroundings()
const { mesh, index, spinAlways, data } = surroundings.data as ParallelData
const { measure, messages, bytes, parked } = data as RingSpeedData
const end = new MeshEnd(mesh, index, sharedAtomics)
const out = end.outboxes[1 - index] as RingOutbox
const into = end.readers[1 - index] as RingReader
const most = parked ? 0 : mesh.spinners
const spinning = { words: end.board, index: end.spinning, most, always: spinAlways }
const waiter = new Waiter(end.doorbells[index], spinning, sharedAtomics)
const message = new Uint8Array(bytes)
let seen = 0

function send(count: number): void {
  for (let i = 0; i < count; i++) {
    out.send(i, message)
    while (out.waitingBytes > WAITING_BYTES) if (!out.flush()) waiter.wait(() => out.flush(), 1000)
  }
  for (out.flush(); out.isWaiting; ) waiter.wait(() => out.flush(), 1000)
}

function take(count: number): void {
  for (let got = 0; got < count; ) {
    if (into.next()) {
      seen += into.source[into.offset]
      into.release()
      got++
    } else waiter.wait(() => into.hasMore, 1000)
  }
}

const times: number[] = []
const rounds = measure === 'throughput' ? 4 : messages
for (let round = 0; round < rounds; round++) {
  const count = measure === 'throughput' ? messages : 1
  const before = performance.now()
  if (index === 0) send(count)
  else take(count)
  if (index === 0) take(1)
  else send(1)
  times.push(performance.now() - before)
}
if (index === 0) {
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]
  const figures =
    measure === 'throughput'
      ? { perSecond: Math.round((1000 * messages) / times[0]), megabytesPerSecond: Math.round((messages * bytes) / times[0] / 1000) }
      : {
          medianMicroseconds: Math.round(median * 100_000) / 100,
          p90Microseconds: Math.round(times[(times.length * 0.9) | 0] * 10_000) / 10,
        }
  const reported: Reported = { kind: 'report', value: { measure, bytes, parked, spinAlways, ...figures, seen } }
  const toMain = end.outboxes[end.main] as RingOutbox
  toMain.send(CONTROL, encodeMessage(reported))
  toMain.flush()
}
