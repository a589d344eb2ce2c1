import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { createPrometheusMetrics } from '../../edge/src/metrics/prometheus.ts'
import { createWorkerMetrics } from '../../gpu-worker/src/metrics/worker-metrics.ts'
import { repository } from '../../scripts/start/services.ts'

export const observability = path.join(repository, 'infra', 'observability')
const read = (file: string): string => readFileSync(path.join(observability, file), 'utf8')

const targetSchema = z.object({ expr: z.string(), legendFormat: z.string() })
const panelSchema = z.object({
  title: z.string(),
  type: z.string(),
  targets: z.array(targetSchema).default([]),
})
const dashboardSchema = z.object({
  panels: z.array(panelSchema),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), query: z.string() })),
  }),
})
export type Panel = z.infer<typeof panelSchema>

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          record: z.string().optional(),
          alert: z.string().optional(),
          expr: z.string(),
          annotations: z.record(z.string(), z.string()).optional(),
        }),
      ),
    }),
  ),
})

export const readDashboard = () => dashboardSchema.parse(JSON.parse(read('dashboard.json')))
export const readRules = (file: 'rules.yaml' | 'alerts.yaml') =>
  rulesSchema.parse(parse(read(file))).groups.flatMap(({ rules }) => rules)

/** An expression of the dashboard with Grafana's variables filled in. */
export const filledIn = (expr: string, interval: string): string =>
  expr.replaceAll('$__rate_interval', interval).replaceAll('$model', '.*')

/** Names of series in an expression: words before `{`, `[` or an operator that are no functions or labels. */
export function seriesIn(expr: string): string[] {
  const plain = expr.replaceAll(/"[^"]*"|'[^']*'/g, '')
  return [...plain.matchAll(/\b(?:setblock|process|nodejs)[\w:]*/g)].map(([name]) => name)
}

/** Every series that worker and edge can export, from the code that exports them. */
export async function exportedSeries(): Promise<Set<string>> {
  const counts = {} as Parameters<typeof createWorkerMetrics>[1]['counts']
  const worker = createWorkerMetrics([], { counts, memoryBytes: 0 })
  const edge = createPrometheusMetrics({ version: '0', node: '0' })
  const texts = [await worker.text(), await edge.text()]
  const types = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)])
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    ),
  )
}
