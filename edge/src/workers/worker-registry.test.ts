import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WorkerAnnouncement } from '@setblock/shared'
import { announced, present } from './worker-registry.ts'
import type { RegistryState } from './worker-registry.ts'

const limits = { workersMax: 2, workerLeaseMs: 20_000, clockSkewMs: 30_000 }
const T = 1_700_000_000_000

/** Plays announcements, each with the time at which it arrives; sent at once unless it says so. */
function play(...steps: [now: number, url: string, change?: Partial<WorkerAnnouncement>][]) {
  let state: RegistryState = new Map()
  const outcomes = steps.map(([now, url, change = {}]) => {
    const announcement = { url, state: 'ready' as const, models: ['m'], sentAt: now, ...change }
    const next = announced(state, announcement, { now, limits })
    state = next.state
    return next.outcome
  })
  return { outcomes, urls: (now: number) => present(state, now).map(({ url }) => url) }
}

test('a worker is there as long as it goes on saying so', () => {
  const { outcomes, urls } = play([T, 'a'], [T + 5_000, 'a'])
  assert.deepEqual(outcomes, ['joined', 'renewed'])
  assert.deepEqual(urls(T + 24_999), ['a'])
  assert.deepEqual(urls(T + 25_000), [])
})

test('a worker that leaves is gone at once, and may come back', () => {
  const left = play([T, 'a'], [T + 10, 'a', { state: 'leaving' }])
  assert.deepEqual(left.urls(T + 10), [])
  const back = play([T, 'a'], [T + 10, 'a', { state: 'leaving' }], [T + 20, 'a'])
  assert.deepEqual(back.outcomes, ['joined', 'left', 'joined'])
})

test('an announcement counts once and in order: a replay changes nothing', () => {
  const { outcomes, urls } = play(
    [T, 'a'],
    [T + 1_000, 'a', { state: 'leaving' }],
    [T + 2_000, 'a', { sentAt: T }],
    [T + 2_000, 'a', { sentAt: T + 1_000 }],
    [T + 60_000, 'a', { sentAt: T }],
  )
  assert.deepEqual(outcomes, ['joined', 'left', 'stale', 'stale', 'stale'])
  assert.deepEqual(urls(T + 2_000), [])
})

test('clocks may differ by as much as those of job tokens', () => {
  const sent = (offset: number) => play([T, 'a', { sentAt: T + offset }]).outcomes[0]
  assert.deepEqual([-30_001, -30_000, 30_000, 30_001].map(sent), [
    'stale',
    'joined',
    'joined',
    'stale',
  ])
})

test('there is room for so many; who left makes room when it could not be replayed any more', () => {
  const { outcomes } = play([T, 'a'], [T, 'b'], [T + 1, 'c'], [T + 2, 'a', { state: 'leaving' }])
  assert.deepEqual(outcomes, ['joined', 'joined', 'full', 'left'])
  const later = play(
    [T, 'a'],
    [T, 'b'],
    [T, 'a', { state: 'leaving', sentAt: T + 1 }],
    [T + 40_000, 'c'],
  )
  assert.equal(later.outcomes.at(-1), 'joined')
})

test('other models are news', () => {
  assert.deepEqual(play([T, 'a'], [T + 1, 'a', { models: ['m', 'n'] }]).outcomes, [
    'joined',
    'joined',
  ])
})
