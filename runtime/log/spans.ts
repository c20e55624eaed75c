/**
 * OpenTelemetry: spans around what takes long enough to be asked about. Only the API is here; a program that sets an SDK up
 * sees the spans, and without one they are empty objects that cost nothing worth measuring.
 */
import { type Attributes, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { MillraceError } from '../error.ts'

const TRACER = 'millrace'

/** Names of all spans, as the documentation lists them. */
export type SpanName = 'millrace.read' | 'millrace.deploy' | 'millrace.generation'

/** Runs `work` within a span; an error that leaves it is on the span, too, by its code and never with rows in it. */
export async function inSpan<T>(name: SpanName, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return trace.getTracer(TRACER).startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span)
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'ERROR'
      span.setAttribute('millrace.error', code)
      span.setStatus({ code: SpanStatusCode.ERROR, message: code })
      throw error
    } finally {
      span.end()
    }
  })
}
