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
      failed(span, error instanceof MillraceError ? error.code : 'ERROR')
      throw error
    } finally {
      span.end()
    }
  })
}

/** Begins a span that ends by events: the result ends it, once, with a code if what it is of failed. */
export function openSpan(name: SpanName, attributes: Attributes): (code?: string) => void {
  const span = trace.getTracer(TRACER).startSpan(name, { attributes })
  let isOpen = true
  return (code) => {
    if (!isOpen) return
    isOpen = false
    if (code !== undefined) failed(span, code)
    span.end()
  }
}

function failed(span: Span, code: string): void {
  span.setAttribute('millrace.error', code)
  span.setStatus({ code: SpanStatusCode.ERROR, message: code })
}
