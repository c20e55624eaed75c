import { type Attributes, context, type Span, type SpanStatus, type Tracer, trace } from '@opentelemetry/api'
import { afterEach, expect, test } from 'vitest'
import { MillraceError } from '../../runtime/error.ts'
import { inSpan } from '../../runtime/log/spans.ts'

interface Recorded {
  readonly name: string
  readonly attributes: Record<string, unknown>
  status: SpanStatus | null
  ended: boolean
}

/** As little of an SDK as keeps what spans say. */
function record(): Recorded[] {
  const spans: Recorded[] = []
  const startActiveSpan = (name: string, options: { attributes?: Attributes }, work: (span: Span) => unknown): unknown => {
    const recorded: Recorded = { name, attributes: { ...options.attributes }, status: null, ended: false }
    spans.push(recorded)
    const span = {
      isRecording: () => true,
      setAttribute: (key: string, value: unknown) => {
        recorded.attributes[key] = value
      },
      setStatus: (status: SpanStatus) => {
        recorded.status = status
      },
      end: () => {
        recorded.ended = true
      },
    } as unknown as Span
    return context.with(trace.setSpan(context.active(), span), () => work(span))
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startActiveSpan }) as unknown as Tracer })
  return spans
}

afterEach(() => trace.disable())

test('without an SDK the work is done all the same', async () => {
  expect(await inSpan('millrace.read', {}, async (span) => (span.isRecording() ? 'recorded' : 'plain'))).toBe('plain')
  await expect(inSpan('millrace.read', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('with one the span has the attributes, and an error by its code and not by its text', async () => {
  const spans = record()
  await inSpan('millrace.read', { 'millrace.job': 'shop' }, async () => 1)
  const secret = new MillraceError('BAD_TIME', 'a row of somebody')
  await expect(inSpan('millrace.deploy', {}, () => Promise.reject(secret))).rejects.toBe(secret)
  expect(spans).toEqual([
    { name: 'millrace.read', attributes: { 'millrace.job': 'shop' }, status: null, ended: true },
    { name: 'millrace.deploy', attributes: { 'millrace.error': 'BAD_TIME' }, status: { code: 2, message: 'BAD_TIME' }, ended: true },
  ])
})
