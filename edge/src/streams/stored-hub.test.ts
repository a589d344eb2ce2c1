import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeLimits } from '../limits.ts'
import type { ObjectState } from '../storage/durable-object.ts'
import { collect } from '../test-support/collect.ts'
import { createStoredHub } from './stored-hub.ts'

const HEAD = { status: 200, contentType: 'text/event-stream; charset=utf-8' }
const OPTIONS = { place: 'p', owner: 'acme', digest: 'd', resumable: false, keepMs: 1_000 }

/** What a Durable Object keeps when it is put to sleep, and the lives it has. */
function createObject() {
  const values = new Map<string, unknown>()
  const object = { values, alarm: undefined as number | undefined }
  const storage: ObjectState['storage'] = {
    get: async (key) => structuredClone(values.get(key)),
    put: async (key, value) => void values.set(key, structuredClone(value)),
    deleteAll: async () => values.clear(),
    setAlarm: async (at) => void (object.alarm = at),
    deleteAlarm: async () => undefined,
  }
  async function wake(now = 0) {
    const work: Promise<unknown>[] = []
    const state: ObjectState = {
      storage,
      waitUntil: (each) => void work.push(each),
      blockConcurrencyWhile: (each) => {
        const done = each()
        work.push(done)
        return done
      },
    }
    const hub = createStoredHub(state, { clock: () => now, limits: edgeLimits })
    const settled = () => Promise.all(work)
    await settled()
    return { hub, settled }
  }
  return { object, wake }
}

/** Frames of more than one piece, with characters of every width. */
const FRAMES = Array.from(
  { length: 40 },
  (_, index) => `id: run-${index + 1}\n${'aé🦊'.repeat(9_000)}`,
)

test('an answer that ended well outlives its object’s memory until its time is over', async () => {
  const { object, wake } = createObject()
  const { hub, settled } = await wake()
  const run = hub.open(OPTIONS)
  run.begin(HEAD)
  for (const frame of FRAMES) hub.append(run, frame)
  hub.end(run, HEAD, 'done')
  await settled()
  assert.equal(object.alarm, 1_000)
  assert.ok(object.values.size > 2)

  const later = (await wake(999)).hub.find('p')
  assert.equal(later?.state, 'done')
  assert.deepEqual([later.options.owner, later.options.digest], ['acme', 'd'])
  assert.deepEqual(await later.opened, HEAD)
  const gap = () => new Error('gap')
  const { signal } = new AbortController()
  assert.deepEqual(await collect(later.log.follow(0, signal, gap)), FRAMES)
  assert.equal((await wake(1_000)).hub.find('p'), undefined)
})

test('what failed is not stored, and what is dropped is deleted', async () => {
  const { object, wake } = createObject()
  const { hub, settled } = await wake()
  const failed = hub.open(OPTIONS)
  hub.append(failed, 'x')
  hub.end(failed, HEAD, 'failed')
  await settled()
  assert.equal(object.values.size, 0)
  hub.drop(failed)

  const done = hub.open(OPTIONS)
  hub.append(done, 'x')
  hub.end(done, HEAD, 'done')
  await settled()
  assert.ok(object.values.size > 0)
  hub.drop(done)
  await settled()
  assert.equal(object.values.size, 0)
})
