import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '@setblock/shared'
import { SessionRoom } from './session-room.ts'

const MAX = limits.sessionsPerTenantMax
const FULL = { code: 'session_limit_exceeded' }

function setUp(living: number) {
  const store = { living, counts: 0 }
  const time = { ms: 0 }
  const room = new SessionRoom({
    count: async () => {
      store.counts += 1
      return store.living
    },
    now: () => time.ms,
  })
  return { room, store, time }
}

test('what a tenant has is counted once, however many sessions it begins', async () => {
  const { room, store } = setUp(0)
  await Promise.all(Array.from({ length: MAX }, () => room.take('t')))
  assert.equal(store.counts, 1)
})

test('at the limit it is counted again: places may have come free', async () => {
  const { room, store } = setUp(MAX - 1)
  await room.take('t')
  store.living = MAX
  await assert.rejects(room.take('t'), FULL)
  store.living = MAX - 2
  await room.take('t')
  await room.take('t')
  store.living = MAX
  await assert.rejects(room.take('t'), FULL)
})

test('what others have begun meanwhile is found after a minute', async () => {
  const { room, store, time } = setUp(0)
  await room.take('t')
  store.living = MAX
  await room.take('t')
  time.ms = 60_000
  await assert.rejects(room.take('t'), FULL)
})

test('tenants are counted apart, and a count that failed is made again', async () => {
  let fails = true
  const room = new SessionRoom({
    count: async (tenant) => {
      if (fails) throw new Error('no store')
      return tenant === 'full' ? MAX : 0
    },
    now: () => 0,
  })
  await assert.rejects(room.take('t'), /no store/)
  fails = false
  await room.take('t')
  await assert.rejects(room.take('full'), FULL)
})
