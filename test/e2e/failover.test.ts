import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { findPort } from '../../scripts/start/ports.ts'
import { waitUntilReady } from '../../scripts/start/ready.ts'
import { startService } from '../../scripts/start/service.ts'
import { repository } from '../../scripts/start/services.ts'
import { bundledModel } from '../eval/provenance.ts'
import { JOB_SECRET, WorkerProcess } from '../faults/worker-process.ts'
import { undoAfter } from '../support/undo.ts'

const ADMIN_KEY = 'admin-key-of-this-test-long-enough-to-be-taken'
const SESSIONS = 10
const READY_TIMEOUT_MS = 60_000
const FIRST = 'Tell me a story about a fox, a boat and a lamp that shines over the quiet water.'

interface Answer {
  readonly session: { readonly version: number }
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } }
}

test('a session stays with its worker, and goes on with another when that one dies', async (t) => {
  const undo = undoAfter(t)
  const root = await mkdtemp(path.join(tmpdir(), 'setblock-failover-'))
  undo(() => rm(root, { recursive: true, force: true }))
  const options = { modelFolder: bundledModel, folder: path.join(root, 'sessions') }
  const workers = await Promise.all([WorkerProcess.start(options), WorkerProcess.start(options)])
  undo(() => Promise.all(workers.map((worker) => worker.stop())))
  const port = await findPort({ host: '127.0.0.1', port: 0, option: 'none' })
  const url = `http://127.0.0.1:${port}`
  const edge = startService({
    name: 'the edge',
    lives: true,
    script: [path.join(repository, 'edge', 'src', 'node.ts')],
    env: {
      SETBLOCK_EDGE_HOST: '127.0.0.1',
      SETBLOCK_EDGE_PORT: String(port),
      SETBLOCK_MODEL: bundledModel,
      SETBLOCK_DATABASE: path.join(root, 'edge.sqlite'),
      SETBLOCK_JOB_SECRET: JOB_SECRET,
      SETBLOCK_ADMIN_KEY: ADMIN_KEY,
      GPU_WORKERS: workers.map((worker) => worker.url).join(),
    },
    cwd: repository,
    logFile: path.join(root, 'edge.log'),
  })
  undo(() => edge.stop())
  await waitUntilReady({
    service: edge,
    url: `${url}/readyz`,
    timeoutMs: READY_TIMEOUT_MS,
    signal: new AbortController().signal,
  })

  const post = (route: string, body: object, key: string): Promise<Response> =>
    fetch(url + route, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const created = await post('/v1/admin/keys', { tenant: 'acme', name: 'test' }, ADMIN_KEY)
  const { key } = (await created.json()) as { key: string }
  const turns = (append: boolean): Promise<Answer[]> =>
    Promise.all(
      Array.from({ length: SESSIONS }, async (_, index) => {
        const messages = [{ role: 'user', content: append ? 'And then?' : `${index}. ${FIRST}` }]
        const body = { model: 'setblock-nano', max_tokens: 40, messages, append }
        const response = await post('/v1/chat/completions', { ...body, session: `s${index}` }, key)
        assert.equal(response.status, 200, await response.clone().text())
        return (await response.json()) as Answer
      }),
    )
  const restored = async (): Promise<number[]> =>
    Promise.all(workers.map(async (worker) => (await worker.counts())['restored'] ?? 0))

  await turns(false)
  const second = await turns(true)
  assert.ok(second.every(({ usage }) => usage.prompt_tokens_details.cached_tokens > 0))
  assert.deepEqual(await restored(), [0, 0], 'a session left its worker')

  await workers[0].stop()
  const third = await turns(true)
  assert.deepEqual(
    third.map(({ session }) => session.version),
    Array.from({ length: SESSIONS }, () => 3),
  )
  assert.ok(((await workers[1].counts())['restored'] ?? 0) > 0, 'no session moved')
})
