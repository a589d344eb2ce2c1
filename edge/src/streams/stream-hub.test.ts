import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeLimits } from '../limits.ts'
import { StreamHub } from './stream-hub.ts'

const HEAD = { status: 200, contentType: 'text/event-stream; charset=utf-8' }
const HOUR_MS = 3_600_000

test('answers whose time is over go, also those that nobody asks for again', () => {
  const now = { ms: 0 }
  const dropped = { count: 0 }
  const hub = new StreamHub({
    clock: () => now.ms,
    limits: edgeLimits,
    onDrop: () => void (dropped.count += 1),
  })
  const answer = (place: string): void => {
    const run = hub.open({ place, owner: 'acme', digest: 'd', resumable: false, keepMs: HOUR_MS })
    run.begin(HEAD)
    hub.append(run, 'id: x-1\n\n')
    hub.end(run, HEAD, 'done')
  }
  for (let index = 0; index < 100; index += 1) answer(`early-${index}`)
  now.ms = HOUR_MS - 1
  answer('late')
  assert.equal(dropped.count, 0)
  now.ms = HOUR_MS
  // One that runs has no end of its time yet.
  hub.open({ place: 'running', owner: 'acme', digest: 'd', resumable: true, keepMs: HOUR_MS })
  assert.equal(dropped.count, 100)
  assert.equal(hub.find('early-7'), undefined)
  assert.equal(hub.find('late')?.state, 'done')
  assert.equal(hub.find('running')?.state, 'running')
  hub.close()
})
