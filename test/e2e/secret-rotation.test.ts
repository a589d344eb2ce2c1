import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startNodeEdge } from '../../edge/src/node.ts'
import { findPort } from '../../scripts/start/ports.ts'
import { bundledModel } from '../eval/provenance.ts'
import { JOB_SECRET, Refused, WorkerProcess } from '../faults/worker-process.ts'
import { undoAfter } from '../support/undo.ts'

const HOST = '127.0.0.1'
const NEW_SECRET = 'the secret that takes its place, just as long'
const ADMIN_KEY = 'admin-key-of-this-test-long-enough-to-be-taken'
const WAIT_MS = 60_000

/** Variables that say what is signed and believed. */
const BEFORE = { SETBLOCK_JOB_SECRET: JOB_SECRET }
const BOTH = { SETBLOCK_JOB_SECRET: NEW_SECRET, SETBLOCK_JOB_SECRET_PREVIOUS: JOB_SECRET }
const AFTER = { SETBLOCK_JOB_SECRET: NEW_SECRET }

test('the job secret changes under load, as the runbook says, and no request is refused', async (t) => {
  const undo = undoAfter(t)
  const root = await mkdtemp(path.join(tmpdir(), 'setblock-rotation-'))
  undo(() => rm(root, { recursive: true, force: true }))
  const edgePort = await findPort({ host: HOST, port: 0, option: 'none' })
  const url = `http://${HOST}:${edgePort}`
  const startEdge = (secrets: Record<string, string>) =>
    startNodeEdge({
      env: {
        SETBLOCK_EDGE_PORT: String(edgePort),
        SETBLOCK_MODEL: bundledModel,
        SETBLOCK_DATABASE: path.join(root, 'edge.sqlite'),
        SETBLOCK_ADMIN_KEY: ADMIN_KEY,
        GPU_WORKERS: 'registry',
        SETBLOCK_WORKER_HOSTS: HOST,
        ...secrets,
      },
      log: () => undefined,
    })
  const ports = await Promise.all(
    [0, 1].map(() => findPort({ host: HOST, port: 0, option: 'none' })),
  )
  const startWorker = (port: number, secrets: Record<string, string>) =>
    WorkerProcess.start({
      modelFolder: bundledModel,
      env: {
        SETBLOCK_WORKER_PORT: String(port),
        SETBLOCK_EDGE_URL: url,
        SETBLOCK_ADVERTISE_URL: `http://${HOST}:${port}`,
        ...secrets,
      },
    })
  let edge = await startEdge(BEFORE)
  undo(() => edge.close())
  const workers = await Promise.all(ports.map((port) => startWorker(port, BEFORE)))
  undo(() => Promise.all(workers.map((worker) => worker.stop())))
  await untilReady(url, 2)
  const created = await post(`${url}/v1/admin/keys`, { tenant: 'acme', name: 't' }, ADMIN_KEY)
  const { key } = (await created.json()) as { key: string }

  /** Does something while requests go on, and tells how those went. */
  async function underLoad(work: () => Promise<void>): Promise<number[]> {
    const statuses: number[] = []
    const done = new AbortController()
    const load = (async () => {
      do {
        const body = { model: 'setblock-nano', prompt: 'The fox', max_tokens: 2 }
        const response = await post(`${url}/v1/completions`, body, key)
        await response.text()
        statuses.push(response.status)
        await sleep(20)
      } while (!done.signal.aborted)
    })()
    await work()
    done.abort()
    await load
    return statuses
  }
  async function restartWorkers(secrets: Record<string, string>): Promise<void> {
    for (const [index, port] of ports.entries()) {
      await workers[index]!.stop()
      workers[index] = await startWorker(port, secrets)
      await untilReady(url, 2)
    }
  }

  const first = await underLoad(() => restartWorkers(BOTH))
  await edge.close()
  edge = await startEdge(BOTH)
  await untilReady(url, 2)
  const second = await underLoad(() => restartWorkers(AFTER))
  await edge.close()
  edge = await startEdge(AFTER)
  await untilReady(url, 2)
  const last = await underLoad(() => untilReady(url, 2))

  for (const statuses of [first, second, last]) assert.ok(statuses.length > 0)
  assert.deepEqual(new Set([...first, ...second, ...last]), new Set([200]))
  // This process still signs with the old one.
  const call = { operation: 'list' } as const
  await assert.rejects(workers[0]!.call(call, 'acme'), (error: unknown) => {
    assert.ok(error instanceof Refused)
    assert.equal(error.code, 'invalid_job_token')
    return true
  })
})

async function untilReady(url: string, count: number): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  for (;;) {
    const response = await fetch(`${url}/readyz`)
    const { workers } = (await response.json()) as { workers: { ready: number } }
    if (workers.ready === count) return
    assert.ok(Date.now() < deadline, `${workers.ready} of ${count} workers after a minute`)
    await sleep(50)
  }
}

function post(url: string, body: object, key: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}
