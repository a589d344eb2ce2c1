import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRecord } from '../deps.ts'
import { openTestDatabase, TEST_LIMITS } from '../test-support/harness.ts'
import { forgetUsage } from './forget-usage.ts'
import { createUsageStore } from './usage-store.ts'
import type { UsageStore } from './usage-store.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 24 * 3600 * 1000
const limits = { ...TEST_LIMITS, usageForgetRecordsMax: 10, usageForgetPauseMs: 0 }

/** A store with a record of one token for each age, in days. */
async function storeOf(ages: readonly number[]) {
  const database = await openTestDatabase()
  const usage = createUsageStore(database)
  for (const [index, age] of ages.entries()) {
    const who = { tenant: 'acme', keyId: 'key-1', model: 'tiny', mode: 'ntp', status: 'done' }
    const counts = { promptTokens: 1, completionTokens: 0, forwards: 1, durationMs: 1 }
    await usage.record({ id: `job-${index}`, at: NOW - age * DAY_MS, ...who, ...counts })
  }
  const left = () => usage.tokensSince('key-1', 0)
  return { database, usage, left }
}

async function forget(
  usage: UsageStore,
  change: Partial<typeof limits> = {},
  signal?: AbortSignal,
) {
  const lines: LogRecord[] = []
  const log = (record: LogRecord) => void lines.push(record)
  const deps = { usage, usageDays: 40, clock: () => NOW, limits: { ...limits, ...change }, log }
  await forgetUsage(deps, signal)
  return lines
}

test('records older than they are kept go, in as many statements as it takes, and no other', async () => {
  const old = Array.from({ length: 25 }, (_, index) => 41 + index)
  const { usage, left } = await storeOf([0, ...old, 39, 40, 20])
  assert.deepEqual(await forget(usage), [{ event: 'usage-forgotten', records: 25 }])
  assert.equal(await left(), 4)
  assert.deepEqual(await forget(usage), [])
})

test('one time deletes so much at most and the next goes on; a stop ends it early', async () => {
  const { usage, left } = await storeOf(Array.from({ length: 35 }, () => 50))
  await forget(usage, { usageForgetStatementsMax: 2 })
  assert.equal(await left(), 15)
  await forget(usage, {}, AbortSignal.abort())
  assert.equal(await left(), 5)
  await forget(usage)
  assert.equal(await left(), 0)
})

test('a database that fails is told in the log, and is asked again the next time', async () => {
  const { usage } = await storeOf([50])
  const broken = { ...usage, forget: () => Promise.reject(new Error('database is locked')) }
  assert.deepEqual(await forget(broken), [
    { event: 'usage-not-forgotten', reason: 'Error: database is locked' },
  ])
})

test('old records are found by their time, without looking at the others', async () => {
  const { database } = await storeOf([])
  const statement = 'SELECT rowid FROM usage_records WHERE at < ? ORDER BY at LIMIT ?'
  const [row] = await database.all(`EXPLAIN QUERY PLAN ${statement}`, NOW, 10)
  assert.match(
    JSON.stringify(row),
    /SEARCH usage_records USING COVERING INDEX usage_records_by_time/,
  )
})
