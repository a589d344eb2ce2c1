/** The edge's metrics for Prometheus. Only for Node: nothing that runs on Workers may import this file. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from '@prometheus-io/client'
import { ERRORS } from '@setblock/shared'
import type { EdgeMetrics } from './edge-metrics.ts'

export interface PrometheusMetrics extends EdgeMetrics {
  readonly contentType: string
  /** Everything in Prometheus's text format. */
  text(): Promise<string>
}

/** Upper bounds of histogram buckets, seconds. */
const ANSWER = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const STREAM = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** Of our own routes; a client may send any word as its method. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])

export function createPrometheusMetrics(build: {
  version: string
  node: string
}): PrometheusMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name: `setblock_edge_${name}`, help, labelNames, registers })
  const histogram = (
    name: string,
    help: string,
    options: { buckets: number[]; labelNames: readonly string[] },
  ) => new Histogram({ name: `setblock_edge_${name}`, help, ...options, registers })

  const requests = counter('requests_total', 'Requests answered', ['route', 'method', 'status'])
  const errors = counter('errors_total', 'Failures that clients were told of', ['code'])
  const limited = counter('rate_limited_total', 'Requests that a key had no room for', ['reason'])
  const workerAnswers = counter('worker_answers_total', 'What workers said to posts', ['code'])
  const withheld = counter(
    'jobs_withheld_total',
    'Jobs refused in the name of a worker without room, which was not asked',
    ['reason'],
  )
  const streams = counter('streams_total', 'Streams that have ended', ['kind', 'outcome'])
  const open = new Gauge({
    name: 'setblock_edge_streams_open',
    help: 'Open streams; a resumable answer and each of its readers are one each',
    labelNames: ['kind'],
    registers,
  })
  tellBuild(build, registers)
  // Begun at zero: a counter's first sight of a series is no increase.
  for (const code of Object.keys(ERRORS)) errors.inc({ code }, 0)
  for (const reason of ['full', 'unanswered']) withheld.inc({ reason }, 0)
  for (const outcome of ['done', 'failed']) streams.inc({ kind: 'answer', outcome }, 0)
  const duration = histogram('request_duration_seconds', 'Until the headers of the answer', {
    buckets: ANSWER,
    labelNames: ['route'],
  })
  const ttft = histogram('time_to_first_token_seconds', 'Until the first text of an answer', {
    buckets: ANSWER,
    labelNames: ['model', 'mode'],
  })
  const streamed = histogram('stream_duration_seconds', 'From a request to its stream’s end', {
    buckets: STREAM,
    labelNames: ['kind'],
  })

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    answered({ route, method, status, durationMs }) {
      const known = METHODS.has(method) ? method : 'other'
      requests.inc({ route, method: known, status: String(status) }, 1)
      duration.observe({ route }, durationMs / 1000)
    },
    failed: (code) => errors.inc({ code }, 1),
    limited: (reason) => limited.inc({ reason }, 1),
    firstText: (labels, ms) => ttft.observe(labels, ms / 1000),
    streamOpened: (kind) => open.inc({ kind }, 1),
    streamEnded(kind, outcome, ms) {
      open.dec({ kind }, 1)
      streams.inc({ kind, outcome }, 1)
      streamed.observe({ kind }, ms / 1000)
    },
    workerAnswered: (code) => workerAnswers.inc({ code }, 1),
    withheld: (reason) => withheld.inc({ reason }, 1),
  }
}

function tellBuild(build: { version: string; node: string }, registers: Registry[]): void {
  const info = new Gauge({
    name: 'setblock_edge_build_info',
    help: 'What runs here; always 1',
    labelNames: ['version', 'node'],
    registers,
  })
  info.set(build, 1)
}
