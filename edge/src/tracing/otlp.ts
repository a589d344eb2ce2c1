import type { Tracer } from '@opentelemetry/api'
import * as z from 'zod'

/** OpenTelemetry's own variables; the exporter and the processor read more of them by themselves. */
const environmentSchema = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: z.string().min(1).optional(),
  /** Share of the traces that begin here; of others whoever is above decides. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
})

export interface Tracing {
  readonly tracer: Tracer
  /** Sends what is left. */
  stop(): Promise<void>
}

/**
 * Sends spans to where OTEL_EXPORTER_OTLP_ENDPOINT says, as OTLP over HTTP. Undefined without it: nothing is loaded then.
 *
 * @throws Error naming the variable at fault
 */
export async function startTracing(
  environment: Readonly<Record<string, string | undefined>>,
  serviceName: string,
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
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  })
  return {
    tracer: provider.getTracer('setblock'),
    // A collector that is gone must not keep a process from ending.
    stop: () => provider.shutdown().catch(() => undefined),
  }
}
