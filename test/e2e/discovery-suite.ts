import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { findPort } from '../../scripts/start/ports.ts'
import { edgeUrl, type Plan } from '../../scripts/start/services.ts'
import type { Service } from '../../scripts/start/service.ts'
import { startEdge } from '../../scripts/start/stack.ts'
import { bundledModel } from '../eval/provenance.ts'
import { JOB_SECRET, WorkerProcess } from '../faults/worker-process.ts'

const HOST = '127.0.0.1'
const ADMIN_KEY = 'admin-key-of-this-test-long-enough-to-be-taken'
const WAIT_MS = 60_000

/** Workers that come and go behind a running edge, as real processes. */
export function discoverySuite(runtime: EdgeRuntime): void {
  describe(`workers announce themselves to the edge on ${runtime}`, { timeout: 180_000 }, () => {
    let root: string
    let url: string
    let key: string
    const services: Service[] = []
    const workers: WorkerProcess[] = []

    before(async () => {
      root = await mkdtemp(path.join(tmpdir(), 'setblock-discovery-'))
      const plan: Plan = {
        options: {
          edge: runtime,
          host: HOST,
          port: 0,
          workerPort: 0,
          modelFolders: [bundledModel],
          stateFolder: root,
        },
        secrets: { jobSecret: JOB_SECRET, adminKey: ADMIN_KEY },
        edgePort: await findPort({ host: HOST, port: 0, option: '--port' }),
        workerPort: 0,
        edgeVariables: { GPU_WORKERS: 'registry', SETBLOCK_WORKER_HOSTS: HOST },
      }
      url = edgeUrl(plan)
      const keep = (service: Service): Service => {
        services.push(service)
        return service
      }
      keep(await startEdge(plan, { keep, signal: new AbortController().signal }))
      await until(async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true)
      const created = await post('/v1/admin/keys', { tenant: 'acme', name: 'test' }, ADMIN_KEY)
      key = ((await created.json()) as { key: string }).key
    })

    after(async () => {
      await Promise.all([...services, ...workers].map((each) => each.stop()))
      await rm(root, { recursive: true, force: true })
    })

    const post = (route: string, body: object, authorization: string): Promise<Response> =>
      fetch(url + route, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${authorization}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(body),
      })
    const complete = async (): Promise<number> => {
      const body = { model: 'setblock-nano', prompt: 'The fox', max_tokens: 2 }
      const response = await post('/v1/completions', body, key)
      await response.text()
      return response.status
    }
    async function startWorker(): Promise<WorkerProcess> {
      const port = await findPort({ host: HOST, port: 0, option: 'none' })
      const env = {
        SETBLOCK_WORKER_PORT: String(port),
        SETBLOCK_EDGE_URL: url,
        SETBLOCK_ADVERTISE_URL: `http://${HOST}:${port}`,
      }
      const worker = await WorkerProcess.start({ modelFolder: bundledModel, env })
      workers.push(worker)
      return worker
    }
    async function total(): Promise<number> {
      const response = await fetch(`${url}/readyz`)
      return ((await response.json()) as { workers: { total: number } }).workers.total
    }

    test('without a worker a request gets 503 and may be tried again', async () => {
      assert.equal(await total(), 0)
      assert.equal(await complete(), 503)
    })

    test('workers join, one leaves as it drains, and one that is killed is passed over', async () => {
      const first = await startWorker()
      await until(async () => (await total()) === 1)
      assert.equal(await complete(), 200)

      await startWorker()
      await until(async () => (await total()) === 2)

      await first.stop()
      await until(async () => (await total()) === 1)
      assert.equal(await complete(), 200)

      const third = await startWorker()
      await until(async () => (await total()) === 2)
      await third.kill()
      // Its lease lasts for a while, and nobody is refused in that time.
      for (let count = 0; count < 6; count++) assert.equal(await complete(), 200)
    })
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it took too long')
    await sleep(100)
  }
}
