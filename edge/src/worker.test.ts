import assert from 'node:assert/strict'
import { test } from 'node:test'
import worker from './worker.ts'
import type { WorkerEnv } from './worker.ts'

test('an edge on Workers without its secrets answers in our form and names the variable in its log', async (t) => {
  const { mock } = t.mock.method(console, 'log', () => undefined)
  const env = { GPU_WORKERS: 'http://127.0.0.1:1' } as WorkerEnv
  const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} }
  const response = await worker.fetch(new Request('http://edge/readyz'), env, context)
  assert.deepEqual([response.status, response.headers.get('x-should-retry')], [500, 'true'])
  const text = await response.text()
  assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, 'internal_error')
  assert.ok(!text.includes('SETBLOCK'))
  const [line] = mock.calls.map(({ arguments: [first] }) => JSON.parse(String(first)) as object)
  const reason = 'SETBLOCK_JOB_SECRET: must be set'
  assert.deepEqual(
    { ...line, time: 0 },
    { time: 0, level: 'error', event: 'not-set-up', error: 'internal_error', reason },
  )
})
