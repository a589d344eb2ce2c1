import { createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Attributes, HrTime, Span, Tracer } from '@opentelemetry/api'
import type { TracePlace } from '@setblock/shared'
import type { JobTimes } from '../server/job-watch.ts'
import type { StepSample } from './step-samples.ts'

/** A job that is over. Attributes are counts, codes and names; never ids of tokens, tenants or sessions. */
export interface TracedJob {
  readonly times: JobTimes
  /** Of the whole, of finding what was known, and of decoding. */
  readonly attributes: {
    readonly job: Attributes
    readonly restore: Attributes
    readonly prefill: Attributes
    readonly decode: Attributes
  }
  readonly steps: readonly StepSample[]
  /** Code of the error that it ended in. */
  readonly failure: string | undefined
  readonly inSession: boolean
}

/** Where in a trace a job belongs, as the edge's headers tell it. */
export interface JobPlace extends TracePlace {
  readonly tracestate: string | undefined
}

/**
 * Writes a job's spans when it is over, from the moments noted on its way: neither the step loop nor the stream pays for
 * a trace. `parent` is the edge's place in it.
 */
export function traceJob(tracer: Tracer, parent: JobPlace | undefined, job: TracedJob): void {
  const { times, attributes, failure } = job
  const { arrived, prepared, started, firstReveal, over = arrived } = times
  const { ended = over } = times
  const above =
    parent === undefined
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
          ...parent,
          isRemote: true,
          traceState: createTraceState(parent.tracestate),
        })
  const options = { kind: SpanKind.SERVER, startTime: toTime(arrived), attributes: attributes.job }
  const whole = tracer.startSpan('job', options, above)
  const within = trace.setSpan(above, whole)
  const part = (name: string, from: number, facts: Attributes): Span =>
    tracer.startSpan(name, { startTime: toTime(from), attributes: facts }, within)

  part('restore', arrived, attributes.restore).end(toTime(prepared ?? over))
  if (prepared !== undefined) part('queue', prepared, {}).end(toTime(started ?? ended))
  if (started !== undefined) {
    part('prefill', started, attributes.prefill).end(toTime(firstReveal ?? ended))
  }
  if (firstReveal !== undefined) {
    const decode = part('decode', firstReveal, attributes.decode)
    for (const { atMs, step, tokens } of job.steps) {
      decode.addEvent('step', { step, tokens }, toTime(atMs))
    }
    decode.end(toTime(ended))
  }
  if (job.inSession && times.ended !== undefined) part('save', ended, {}).end(toTime(over))
  if (failure !== undefined) {
    whole.setAttribute('error.type', failure)
    whole.setStatus({ code: SpanStatusCode.ERROR })
  }
  whole.end(toTime(over))
}

/** The wall clock's time of a moment of the job's clock: seconds, and nanoseconds of the second. */
function toTime(ms: number): HrTime {
  const seconds = (performance.timeOrigin + ms) / 1000
  return [Math.floor(seconds), Math.round((seconds % 1) * 1e9)]
}
