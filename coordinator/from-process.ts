/**
 * Messages of a process as they must be: whoever has the token may still be of another release, or broken, and must not break the
 * coordinator. Unknown fields and kinds are ignored, so that the next version can add some.
 */
import { z } from 'zod'
import { VIRTUAL_SHARDS } from '../runtime/data/key-hash.ts'
import { MillraceError } from '../runtime/error.ts'
import { decodeMessage } from '../runtime/protocol/codec.ts'
import type { Cut, FromProcess, SourceAssignment } from '../runtime/protocol/control.ts'
import type { Position } from '../runtime/protocol/position.ts'

const MAXIMUM_TEXT = 4096
const MAXIMUM_NAME = 256
const MAXIMUM_BUSIEST_SHARDS = 64

const text = z.string().max(MAXIMUM_TEXT)
const name = z.string().max(MAXIMUM_NAME)
const whole = z.number().int()
const count = whole.nonnegative()
/** Statistics are for people: an odd one is no reason to lose a process. */
const figure = z.number().catch(0)

const position: z.ZodType<Position> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(position), z.record(z.string(), position.nullable())]),
)
const cut: z.ZodType<Cut> = z.object({ input: text, partition: text, time: whole, position: position.nullable() })
const assignment: z.ZodType<SourceAssignment> = z.object({ input: text, partition: text, worker: count })

const held = z.object({
  generation: count,
  members: z.array(name),
  dataflows: z.array(
    z.object({
      dataflow: count,
      visible: whole,
      minted: z.array(whole),
      cuts: z.array(cut),
      assignments: z.array(assignment),
      live: z.boolean(),
    }),
  ),
})

const hello = z.object({
  kind: z.literal('hello'),
  protocol: z.object({ least: count, most: count }),
  cluster: name,
  process: name.min(1),
  name,
  group: name,
  threads: count,
  address: text,
  admin: text.nullable(),
  version: text,
  held: held.nullable(),
})

const shards = z.object({
  rows: z.number().nonnegative(),
  busiest: z.array(z.tuple([count.max(VIRTUAL_SHARDS - 1), z.number().nonnegative()])).max(MAXIMUM_BUSIEST_SHARDS),
})

const thread = z.object({
  worker: count,
  busy: figure,
  outboundBytes: figure,
  inboundMessages: figure,
  heapBytes: figure,
  dataflows: z.array(
    z.object({
      dataflow: count,
      complete: figure,
      holder: text.nullable().catch(null),
      stateBytes: figure,
      rows: figure,
      errors: figure,
      shards: shards.nullable().default(null).catch(null),
    }),
  ),
})

const heartbeat = z.object({
  kind: z.literal('heartbeat'),
  sentAt: z.number(),
  stats: z.object({ memoryBytes: figure, threads: z.array(thread) }),
})

const kinds: Readonly<Record<FromProcess['kind'], z.ZodType<FromProcess>>> = {
  hello,
  heartbeat,
  prepared: z.object({ kind: z.literal('prepared'), generation: count }),
  unreachable: z.object({ kind: z.literal('unreachable'), generation: count, peers: z.array(name), reason: text }),
  installed: z.object({
    kind: z.literal('installed'),
    generation: count,
    dataflow: count,
    partitions: z.record(z.string(), z.array(text)),
    temporal: z.boolean(),
  }),
  'need-bundle': z.object({ kind: z.literal('need-bundle'), digest: name }),
  failed: z.object({ kind: z.literal('failed'), generation: count, dataflow: count, code: name, message: z.string() }),
  report: z.object({
    kind: z.literal('report'),
    generation: count,
    dataflow: count,
    live: z.boolean(),
    waiting: z.boolean(),
    complete: whole,
    cuts: z.array(cut),
    told: whole.nullable(),
  }),
  leaving: z.object({ kind: z.literal('leaving') }),
}

/**
 * Null for a kind that this release does not know.
 * @throws MillraceError PROTOCOL
 */
export function decodeFromProcess(bytes: Uint8Array): FromProcess | null {
  const message = decodeMessage<{ readonly kind: string }>(bytes)
  if (!Object.hasOwn(kinds, message.kind)) return null
  const result = kinds[message.kind as FromProcess['kind']].safeParse(message)
  if (result.success) return result.data
  const { path, message: problem } = result.error.issues[0]
  throw new MillraceError('PROTOCOL', `a message "${message.kind}" is not as it should be: ${path.join('.')}: ${problem}`)
}
