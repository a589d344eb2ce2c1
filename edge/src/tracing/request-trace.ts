import {
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api'
import { formatTraceparent, parseTraceparent } from '@setblock/shared'

/** How something that was traced came out. */
export interface TraceEnd {
  readonly attributes: Attributes
  /** A code of the error table. */
  readonly failure?: string | undefined
}

/**
 * The spans of one request. Contexts are passed by hand: what a platform keeps between two awaits differs, and a stream
 * outlives its request. Attributes are counts, codes and names of models; never text, keys, tenants or sessions.
 *
 * Where nobody records spans the tracer hands out ones that do nothing, but carry a client's `traceparent` and
 * `tracestate` on.
 */
export class RequestTrace {
  readonly #tracer: Tracer
  readonly #span: Span
  readonly #context: Context
  #ended = false

  constructor(
    tracer: Tracer,
    request: { traceparent: string | undefined; tracestate: string | undefined; method: string },
  ) {
    const place = parseTraceparent(request.traceparent)
    // What other tracing systems on the way want to be told; W3C bounds it, and the parser cuts it there.
    const traceState = createTraceState(request.tracestate)
    const above =
      place === undefined
        ? ROOT_CONTEXT
        : trace.setSpanContext(ROOT_CONTEXT, { ...place, isRemote: true, traceState })
    const attributes = { 'http.request.method': request.method }
    this.#tracer = tracer
    this.#span = tracer.startSpan(request.method, { kind: SpanKind.SERVER, attributes }, above)
    this.#context = trace.setSpan(above, this.#span)
  }

  /** Does some work of this request in a span of its own. */
  within<Result>(name: string, work: () => Result): Result {
    const span = this.#tracer.startSpan(name, {}, this.#context)
    try {
      return work()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }

  /** A job's way through a worker, from asking for it to its last event. */
  openJob(attributes: Attributes): JobTrace {
    const span = this.#tracer.startSpan('job', { kind: SpanKind.CLIENT, attributes }, this.#context)
    return new JobTrace(span)
  }

  /** Once; later calls do nothing. */
  end(name: string, end: TraceEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#span.updateName(name)
    endSpan(this.#span, end)
  }
}

/** One job as the edge sees it. */
export class JobTrace {
  readonly #span: Span
  #ended = false

  constructor(span: Span) {
    this.#span = span
  }

  /** What tells the worker its place in the trace. */
  get headers(): Record<string, string> {
    const place = this.#span.spanContext()
    if (!isSpanContextValid(place)) return {}
    const tracestate = place.traceState?.serialize() ?? ''
    return { traceparent: formatTraceparent(place), ...(tracestate !== '' && { tracestate }) }
  }

  /** Once; later calls do nothing. */
  end(end: TraceEnd): void {
    if (this.#ended) return
    this.#ended = true
    endSpan(this.#span, end)
  }
}

function endSpan(span: Span, { attributes, failure }: TraceEnd): void {
  span.setAttributes(attributes)
  if (failure !== undefined) {
    span.setAttribute('error.type', failure)
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}
