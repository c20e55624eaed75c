import { type Attributes, context, type Span, type SpanStatus, type Tracer, trace } from '@opentelemetry/api'

export interface Recorded {
  readonly name: string
  readonly attributes: Record<string, unknown>
  status: SpanStatus | null
  ended: boolean
}

/** As little of an SDK as keeps what spans say. */
export function recordSpans(): Recorded[] {
  const spans: Recorded[] = []
  const startSpan = (name: string, options: { attributes?: Attributes }): Span => {
    const recorded: Recorded = { name, attributes: { ...options.attributes }, status: null, ended: false }
    spans.push(recorded)
    return {
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
  }
  const startActiveSpan = (name: string, options: { attributes?: Attributes }, work: (span: Span) => unknown): unknown => {
    const span = startSpan(name, options)
    return context.with(trace.setSpan(context.active(), span), () => work(span))
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) as unknown as Tracer })
  return spans
}
