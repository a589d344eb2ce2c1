import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseDead, chooseEvictions, chooseExpired } from './sweep.ts'

const object = (name: string, bytes: number, storedMs: number) => ({ name, bytes, storedMs })

test('the least recently used leave until the rest fits', () => {
  const objects = [object('kv/a', 10, 1), object('kv/b', 10, 2), object('kv/c', 10, 3)]
  const never = () => undefined
  assert.deepEqual(chooseEvictions(objects, 30, never), [])
  assert.deepEqual(chooseEvictions(objects, 29, never), ['kv/a'])
  assert.deepEqual(chooseEvictions(objects, 0, never), ['kv/a', 'kv/b', 'kv/c'])
  const usedMs = (name: string) => (name === 'kv/a' ? 9 : undefined)
  assert.deepEqual(chooseEvictions(objects, 15, usedMs), ['kv/b', 'kv/c'])
})

test('a session expires as a whole, by the age of its newest version', () => {
  const objects = [
    object('sessions/t/old/1', 1, 0),
    object('sessions/t/old/2', 1, 10),
    object('sessions/t/kept/1', 1, 0),
    object('sessions/t/kept/2', 1, 60),
    object('sessions/t/new/1', 1, 100),
  ]
  assert.deepEqual(chooseExpired(objects, 50), ['sessions/t/old/1', 'sessions/t/old/2'])
  assert.deepEqual(chooseExpired(objects, 100), [])
})

test('however long nobody wrote, nothing expires by itself', () => {
  assert.deepEqual(chooseExpired([object('sessions/t/s/1', 1, 5)], 0), [])
  assert.deepEqual(chooseExpired([], 0), [])
})

test('a session is dead when it has expired or was deleted, and no turn can be under way', () => {
  const hour = 3_600_000
  const session = (id: string, updatedMs: number, change = {}) => {
    return { id, updatedMs, ttlMs: 10 * hour, deleted: false, ...change }
  }
  const sessions = [
    session('expired', 0),
    session('expiring', 2 * hour),
    session('deleted', 10 * hour, { deleted: true }),
    session('just deleted', 11 * hour, { deleted: true }),
    session('newest', 12 * hour),
  ]
  const dead = (of: typeof sessions) => chooseDead(of).map(({ id }) => id)
  assert.deepEqual(dead(sessions), ['expired', 'deleted'])
  // However long nobody came.
  assert.deepEqual(dead(sessions.slice(0, 1)), [])
  assert.deepEqual(dead([]), [])
})
