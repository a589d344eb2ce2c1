import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toLogLine } from './log-line.ts'

const NOW = new Date('2026-11-21T12:00:00.000Z')
const levelOf = (record: Record<string, unknown>): unknown =>
  (JSON.parse(toLogLine(record, NOW)) as { level: unknown }).level

test('a line says when, how grave, and what', () => {
  assert.equal(
    toLogLine({ event: 'request', status: 200 }, NOW),
    '{"time":"2026-11-21T12:00:00.000Z","level":"info","event":"request","status":200}',
  )
})

test('our failures are errors, refusals warnings, and a client that leaves is neither', () => {
  assert.equal(levelOf({ event: 'request', error: 'worker_unavailable' }), 'error')
  assert.equal(levelOf({ event: 'request', error: 'overloaded' }), 'warn')
  assert.equal(levelOf({ event: 'request', error: 'aborted' }), 'info')
  assert.equal(levelOf({ event: 'unsettled-bill', reason: 'the disk is full' }), 'warn')
  assert.equal(levelOf({ event: 'ready', url: 'http://127.0.0.1' }), 'info')
})
