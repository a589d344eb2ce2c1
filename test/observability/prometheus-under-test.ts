import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import * as z from 'zod'
import { findPort } from '../../scripts/start/ports.ts'
import { observability } from './expressions.ts'

const HOST = '127.0.0.1'
const POLL_MS = 100

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
})
export type Samples = z.infer<typeof answerSchema>['data']['result']

/** The Debian package's Prometheus with our rules, scraping twice a second. */
export class PrometheusUnderTest {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #url: string

  private constructor(process: ChildProcess, folder: string, url: string) {
    this.#process = process
    this.#folder = folder
    this.#url = url
  }

  static async start(targets: { worker: string; edge: string }): Promise<PrometheusUnderTest> {
    const folder = await mkdtemp(path.join(tmpdir(), 'setblock-prometheus-'))
    for (const file of ['rules.yaml', 'alerts.yaml']) {
      await cp(path.join(observability, file), path.join(folder, file))
    }
    const job = (name: string, url: string) => ({
      job_name: name,
      static_configs: [{ targets: [new URL(url).host] }],
    })
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
      rule_files: ['rules.yaml', 'alerts.yaml'],
      scrape_configs: [job('setblock-worker', targets.worker), job('setblock-edge', targets.edge)],
    }
    await writeFile(path.join(folder, 'prometheus.yaml'), stringify(config))
    const port = await findPort({ host: HOST, port: 0, option: 'prometheus' })
    const child = spawn(
      'prometheus',
      [
        `--config.file=${path.join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${path.join(folder, 'data')}`,
        `--web.listen-address=${HOST}:${port}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const started = new PrometheusUnderTest(child, folder, `http://${HOST}:${port}`)
    while (!(await fetch(`${started.#url}/-/ready`).catch(() => undefined))?.ok) {
      if (child.exitCode !== null) throw new Error('prometheus did not start')
      await sleep(POLL_MS)
    }
    return started
  }

  /** @throws Error with Prometheus's own words if it does not take the expression */
  async query(expr: string): Promise<Samples> {
    const query = encodeURIComponent(expr)
    const response = await fetch(`${this.#url}/api/v1/query?query=${query}`)
    const answer: unknown = await response.json()
    const parsed = answerSchema.safeParse(answer)
    if (!parsed.success) throw new Error(`${expr}: ${JSON.stringify(answer)}`)
    return parsed.data.data.result
  }

  async stop(): Promise<void> {
    this.#process.kill()
    if (this.#process.exitCode === null) await once(this.#process, 'exit')
    await rm(this.#folder, { recursive: true })
  }
}
