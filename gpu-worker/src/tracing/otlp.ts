import type { Tracer } from '@opentelemetry/api'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { wholeNumber } from '@setblock/shared'
import * as z from 'zod'

/** OpenTelemetry's own variables; the exporter reads more of them by itself. */
const environmentSchema = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: z.string().min(1).optional(),
  /** Share of the traces that begin here; of others whoever is above decides. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  /** Milliseconds between two batches of spans. */
  OTEL_BSP_SCHEDULE_DELAY: wholeNumber({ min: 1 }).default(5_000),
})

/** Longest that a process waits at its end for a collector to take the last spans. */
const FLUSH_MS = 3_000

export interface Tracing {
  readonly tracer: Tracer
  /** Sends what is left. */
  stop(): Promise<void>
}

/**
 * Sends spans to where OTEL_EXPORTER_OTLP_ENDPOINT says, as OTLP over HTTP. Undefined without it: nothing is loaded then.
 * `onFailure` is told why when the collector begins to refuse them.
 *
 * @throws Error naming the variable at fault
 */
export async function startTracing(
  environment: Readonly<Record<string, string | undefined>>,
  serviceName: string,
  onFailure: (reason: string) => void,
): Promise<Tracing | undefined> {
  // OpenTelemetry's rule: a variable that is empty is as good as none.
  const given = Object.entries(environment).filter(([, value]) => value !== '')
  const parsed = environmentSchema.safeParse(Object.fromEntries(given))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new Error(`${issue?.path.join('.')}: ${issue?.message}`)
  }
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: name = serviceName } =
    parsed.data
  if (endpoint === undefined) return undefined
  const { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } =
    await import('@opentelemetry/sdk-trace')
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
  const { resourceFromAttributes } = await import('@opentelemetry/resources')
  const root = new TraceIdRatioBasedSampler(parsed.data.OTEL_TRACES_SAMPLER_ARG)
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': name }),
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: watched(new OTLPTraceExporter(), onFailure),
        scheduledDelayMillis: parsed.data.OTEL_BSP_SCHEDULE_DELAY,
      }),
    ],
  })
  return {
    tracer: provider.getTracer('setblock'),
    // A collector that is gone must not keep a process from ending.
    stop: () =>
      Promise.race([
        provider.shutdown().catch(() => undefined),
        new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MS)),
      ]),
  }
}

/** The same exporter; tells of the first failure, and of another one only after a success. */
function watched(exporter: SpanExporter, onFailure: (reason: string) => void): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { error } = result
        if (error !== undefined && !failing) onFailure(error.message)
        failing = error !== undefined
        done(result)
      })
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
}
