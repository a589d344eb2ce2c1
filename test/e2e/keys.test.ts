/** Keys, limits and usage where they are hardest: D1 and Durable Objects in the Workers runtime. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

const createdSchema = z.object({ id: z.string(), key: z.string(), tenant: z.string() })
const totalsSchema = z.object({
  totals: z.object({ requests: z.int(), prompt_tokens: z.int(), completion_tokens: z.int() }),
})
const usageSchema = z.object({
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }),
})

describe('keys on Workers', { timeout: 120_000 }, () => {
  const under = stackUnderTest('wrangler')
  const admin = (path: string, init: RequestInit = {}) =>
    fetch(`${under.stack.edgeUrl}/v1/admin/keys${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${under.stack.adminKey}`,
        'content-type': 'application/json',
      },
    })
  async function create(fields: object) {
    const body = JSON.stringify({ tenant: 'zoo', name: 'test', ...fields })
    const response = await admin('', { method: 'POST', body })
    assert.equal(response.status, 201)
    return createdSchema.parse(await response.json())
  }
  const complete = (key: string) =>
    under.post(
      '/v1/completions',
      { model: MODEL, prompt: 'Once', max_tokens: 4 },
      { authorization: `Bearer ${key}` },
    )

  test('of many requests at once exactly as many pass as the key may make', async () => {
    const { key, tenant } = await create({ requests_per_minute: 6 })
    const answers = await Promise.all(Array.from({ length: 18 }, () => complete(key)))
    const passed = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 429)
    assert.deepEqual([passed.length, refused.length], [6, 12])
    const waits = refused.map(({ headers }) => Number(headers.get('retry-after')))
    assert.ok(waits.every((seconds) => seconds >= 1 && seconds <= 10))
    const remaining = passed.map(({ headers }) =>
      Number(headers.get('x-ratelimit-remaining-requests')),
    )
    assert.deepEqual(
      remaining.sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5],
    )

    const used = await Promise.all(passed.map(async (each) => usageSchema.parse(await each.json())))
    const expected = {
      requests: 6,
      prompt_tokens: used.reduce((sum, { usage }) => sum + usage.prompt_tokens, 0),
      completion_tokens: used.reduce((sum, { usage }) => sum + usage.completion_tokens, 0),
    }
    // Records are written after the answers are out.
    for (;;) {
      const answer = await fetch(`${under.stack.edgeUrl}/v1/usage`, {
        headers: { authorization: `Bearer ${key}` },
      })
      const { totals } = totalsSchema.parse(await answer.json())
      if (totals.requests < 6) continue
      assert.deepEqual(totals, expected, tenant)
      break
    }
  })

  test('the cron trigger deletes usage records that are older than they are kept', async () => {
    const files = path.join(path.dirname(under.stack.logFolder), 'wrangler/v3/d1')
    const names = readdirSync(files, { recursive: true, encoding: 'utf8' })
    const databases = names.filter((name) => /[0-9a-f]{64}\.sqlite$/.test(name))
    assert.equal(databases.length, 1)
    const database = new DatabaseSync(path.join(files, databases[0]!))
    const insert = database.prepare(
      "INSERT INTO usage_records VALUES (?, ?, 'zoo', 'key', 'm', 'ntp', 'done', 1, 1, 1, 1)",
    )
    const DAY_MS = 24 * 3600 * 1000
    for (const days of [1, 399, 401]) insert.run(`${days}-days`, Date.now() - days * DAY_MS)
    const fired = await fetch(`${under.stack.edgeUrl}/cdn-cgi/handler/scheduled`)
    assert.deepEqual([fired.status, await fired.text()], [200, 'ok'])
    const left = "SELECT id FROM usage_records WHERE id LIKE '%-days' ORDER BY at DESC"
    const rows = database.prepare(left).all()
    assert.deepEqual(
      rows.map(({ id }) => id),
      ['1-days', '399-days'],
    )
    database.close()
  })

  test('a key that is revoked opens nothing any more', async () => {
    const { key, id } = await create({})
    assert.equal((await complete(key)).status, 200)
    assert.equal((await admin(`/${id}`, { method: 'DELETE' })).status, 200)
    while ((await complete(key)).status !== 401);
    const listed = await (await admin('?tenant=zoo')).text()
    assert.ok(listed.includes(id) && !listed.includes(key))
  })
})
