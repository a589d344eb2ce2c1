import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { JOB_SECRET, startFakeWorker } from './test-support/fake-worker.ts'
import { authorized, KEY_FILE, parseSse } from './test-support/harness.ts'
import { write } from './test-support/scripts.ts'
import { TINY_FOLDER } from './test-support/tiny-model.ts'
import worker from './worker.ts'
import type { WorkerEnv } from './worker.ts'

/** Static assets as `npm run build:assets` lays them out. */
async function fetchAsset(url: string): Promise<Response> {
  const { pathname } = new URL(url)
  if (pathname === '/index.json') return Response.json({ models: ['tiny'] })
  assert.match(pathname, /^\/tiny\//)
  return new Response(await readFile(path.join(TINY_FOLDER, path.basename(pathname))))
}

test('the Workers form answers from its bindings', async (t) => {
  const gpuWorker = await startFakeWorker({ script: write('The little boat') })
  t.after(() => gpuWorker.close())
  const env: WorkerEnv = {
    ASSETS: { fetch: fetchAsset },
    KEYS: {
      get: (name) => Promise.resolve(KEY_FILE[name.replace(/^key:/, '')] ?? null),
    },
    GPU_WORKERS: `${gpuWorker.url}/, http://127.0.0.1:1`,
    SETBLOCK_JOB_SECRET: JOB_SECRET,
  }
  const pumps: Promise<unknown>[] = []
  const context = {
    waitUntil: (work: Promise<unknown>) => void pumps.push(work),
    passThroughOnException: () => undefined,
    props: {},
  }
  const lines = t.mock.method(console, 'log', () => undefined).mock
  const post = (headers: Record<string, string>) =>
    worker.fetch(
      new Request('https://edge.example/v1/completions', {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'tiny', prompt: 'a', stream: true }),
      }),
      env,
      context,
    )

  const response = await post(authorized())
  const payloads = parseSse(await response.text())
  assert.equal(payloads.at(-1), '[DONE]')
  assert.equal(gpuWorker.jobs.length, 1)
  assert.equal((await post({ authorization: 'Bearer other' })).status, 401)
  await Promise.all(pumps)
  const logged = lines.calls.map(({ arguments: [line] }) => JSON.parse(String(line)) as object)
  assert.equal(logged.length, 2)
})
