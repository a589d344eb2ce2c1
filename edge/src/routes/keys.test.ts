import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import * as z from 'zod'
import { createdKeySchema, keyListSchema } from '../auth/api-key.ts'
import { createdTokenSchema } from '../auth/browser-token.ts'
import { usageSummarySchema } from '../metering/usage-store.ts'
import { ADMIN_KEY, API_KEY, startHarness } from '../test-support/harness.ts'
import { revealsOf, startOf, write } from '../test-support/scripts.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const json = (key: string) => ({ ...bearer(key), 'content-type': 'application/json' })
const envelope = z.object({ error: z.object({ code: z.string(), param: z.string().nullable() }) })

async function codeOf(response: Response): Promise<string> {
  return envelope.parse(await response.json()).error.code
}

/** The app with a clock of the test's own, and the operator's calls. */
async function start(t: TestContext, options: Parameters<typeof startHarness>[1] = {}) {
  const clock = { now: Date.parse('2026-11-21T12:00:00Z') }
  const harness = await startHarness(t, {
    script: write('The little boat'),
    clock: () => clock.now,
    ...options,
  })
  const admin = { headers: json(ADMIN_KEY) }
  async function create(fields: object) {
    const response = await harness.post('/v1/admin/keys', { tenant: 'zoo', ...fields }, admin)
    assert.equal(response.status, 201)
    return createdKeySchema.strict().parse(await response.json())
  }
  const complete = (key: string, fields: object = {}, headers: object = {}) =>
    harness.post(
      '/v1/completions',
      { model: 'tiny', prompt: 'a', ...fields },
      { headers: { ...json(key), ...headers } },
    )
  return { ...harness, clock, admin, create, complete }
}

test('a key is shown once, works, is listed without itself, and ends when revoked', async (t) => {
  const { create, complete, get, admin } = await start(t)
  const created = await create({ name: 'first' })
  assert.ok(created.key.startsWith(created.prefix))
  assert.deepEqual(created.scopes, ['generate', 'usage', 'tokens'])
  assert.equal((await complete(created.key)).status, 200)

  const list = await get('/v1/admin/keys?tenant=zoo', admin)
  const text = await list.text()
  assert.ok(!text.includes(created.key))
  const { data } = keyListSchema.strict().parse(JSON.parse(text))
  assert.deepEqual(
    data.map(({ id }) => id),
    [created.id],
  )
  const revoke = () => get(`/v1/admin/keys/${created.id}`, { ...admin, method: 'DELETE' })
  assert.equal((await revoke()).status, 200)
  assert.equal(await codeOf(await complete(created.key)), 'invalid_api_key')
  const again = (await (await revoke()).json()) as { revoked_at: number | null }
  assert.notEqual(again.revoked_at, null)
})

test('pages of keys follow each other', async (t) => {
  const { create, get, admin } = await start(t)
  const made = [
    await create({ name: 'a' }),
    await create({ name: 'b' }),
    await create({ name: 'c' }),
  ]
  const seen: string[] = []
  for (let after = ''; ;) {
    const page = await get(`/v1/admin/keys?tenant=zoo&limit=2&after=${after}`, admin)
    const { data, has_more: more } = keyListSchema.parse(await page.json())
    seen.push(...data.map(({ id }) => id))
    if (!more) break
    after = seen.at(-1) ?? ''
  }
  assert.deepEqual(seen, made.map(({ id }) => id).sort())
})

test('a key that has expired is no key', async (t) => {
  const { create, complete, clock } = await start(t)
  const { key } = await create({ name: 'short', expires_in_seconds: 60 })
  assert.equal((await complete(key)).status, 200)
  clock.now += 60_000
  assert.equal((await complete(key)).status, 401)
})

test('a revocation elsewhere is believed within the cache’s time', async (t) => {
  const { create, complete, clock, deps } = await start(t)
  const { key, id } = await create({ name: 'away' })
  assert.equal((await complete(key)).status, 200)
  await deps.keyStore.revoke(id, clock.now)
  clock.now += deps.limits.keyCacheMs
  assert.equal((await complete(key)).status, 401)
})

test('scopes are kept apart', async (t) => {
  const { create, complete, post, get } = await start(t)
  const { key } = await create({ name: 'usage only', scopes: ['usage'] })
  assert.equal(await codeOf(await complete(key)), 'insufficient_scope')
  assert.equal((await get('/v1/usage', { headers: bearer(key) })).status, 200)
  const fields = { tenant: 'zoo', name: 'x' }
  assert.equal((await post('/v1/admin/keys', fields)).status, 403)
  assert.equal((await post('/v1/tokens', {}, { headers: json(key) })).status, 403)
  const { key: second } = await create({ name: 'second operator', scopes: ['admin'] })
  assert.equal((await post('/v1/admin/keys', fields, { headers: json(second) })).status, 201)
})

test('bad fields are named', async (t) => {
  const { post, get, admin } = await start(t)
  const cases: [object, string][] = [
    [{ name: 'x' }, 'tenant'],
    [{ tenant: 'a b', name: 'x' }, 'tenant'],
    [{ tenant: 'a', name: 'x', scopes: ['all'] }, 'scopes[0]'],
    [{ tenant: 'a', name: 'x', requests_per_minute: 0 }, 'requests_per_minute'],
    [{ tenant: 'a', name: 'x', owner: 'me' }, 'owner'],
  ]
  for (const [body, param] of cases) {
    const response = await post('/v1/admin/keys', body, admin)
    assert.equal(response.status, 400)
    assert.equal(envelope.parse(await response.json()).error.param, param)
  }
  assert.equal((await get('/v1/admin/keys/none', { ...admin, method: 'DELETE' })).status, 404)
  assert.equal((await get('/v1/usage?from=yesterday')).status, 400)
  assert.equal((await get('/v1/usage?from=2026-11-02&to=2026-11-01')).status, 400)
})

test('wrong keys from one address are soon answered 429', async (t) => {
  const { get, deps } = await start(t)
  const statuses: number[] = []
  for (let count = 0; count <= deps.limits.failedAttemptsPerMinute; count++) {
    statuses.push((await get('/v1/models', { headers: bearer(`sb-guess-${count}`) })).status)
  }
  assert.equal(statuses.at(-2), 401)
  assert.equal(statuses.at(-1), 429)
})

test('requests and tokens a minute are told in headers, and refused with an honest wait', async (t) => {
  const { create, complete, idle, clock } = await start(t)
  const { key } = await create({ name: 'x', requests_per_minute: 2, tokens_per_minute: 200 })
  const first = await complete(key, { max_tokens: 50 })
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '2')
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1')
  assert.equal(first.headers.get('x-ratelimit-reset-requests'), '30s')
  const charged = 200 - Number(first.headers.get('x-ratelimit-remaining-tokens'))
  await idle()
  const { usage } = (await first.json()) as { usage: { total_tokens: number } }
  const second = await complete(key, { max_tokens: 50 })
  // What the first request did not use has come back by now.
  const left = Number(second.headers.get('x-ratelimit-remaining-tokens'))
  assert.equal(left, 200 - usage.total_tokens - charged)
  const third = await complete(key)
  assert.equal(third.status, 429)
  assert.equal(third.headers.get('retry-after'), '30')
  assert.equal(third.headers.get('x-ratelimit-remaining-requests'), '0')
  assert.equal(await codeOf(third), 'rate_limit_exceeded')
  clock.now += 30_000
  assert.equal((await complete(key)).status, 200)
})

test('a month’s quota is final, and clients are told not to retry', async (t) => {
  const { create, complete } = await start(t)
  const { key } = await create({ name: 'x', tokens_per_month: 40 })
  const refused = await complete(key, { max_tokens: 60 })
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('x-should-retry'), 'false')
  assert.equal(await codeOf(refused), 'insufficient_quota')
  assert.equal((await complete(key, { max_tokens: 20 })).status, 200)
})

test('usage counts what was generated, also when the client left, and only one’s own', async (t) => {
  const { create, complete, get, idle, clock } = await start(t, {
    script: async (job, answer) => {
      if (job.maxTokens === 7) return write('The little boat')(job, answer)
      answer.send(startOf(job), ...revealsOf(job, 'The little'))
      await answer.left
    },
  })
  const { key, tenant } = await create({ name: 'x' })
  const whole = await complete(key, { max_tokens: 7 })
  const { usage } = (await whole.json()) as {
    usage: { prompt_tokens: number; completion_tokens: number; forward_passes: number }
  }
  const stream = await complete(key, { stream: true })
  const reader = stream.body!.getReader()
  const utf8 = new TextDecoder()
  for (let text = ''; !text.includes('little');) {
    text += utf8.decode((await reader.read()).value)
  }
  await reader.cancel()
  await idle()
  await idle()
  const response = await get('/v1/usage', { headers: bearer(key) })
  const summary = usageSummarySchema.strict().parse(await response.json())
  assert.equal(summary.tenant, tenant)
  assert.equal(summary.from, '2026-11-01')
  assert.equal(summary.totals.requests, 2)
  assert.equal(summary.totals.prompt_tokens, 2 * usage.prompt_tokens)
  assert.ok(summary.totals.completion_tokens > usage.completion_tokens)
  assert.equal(summary.days[0]?.date, new Date(clock.now).toISOString().slice(0, 10))
  const other = await get('/v1/usage')
  assert.equal(usageSummarySchema.parse(await other.json()).totals.requests, 0)
})

test('a browser token generates, for its origin, until it expires or its key is revoked', async (t) => {
  const { create, complete, post, get, admin, clock } = await start(t)
  const parent = await create({ name: 'backend' })
  const mint = async (fields: object) => {
    const response = await post('/v1/tokens', fields, { headers: json(parent.key) })
    assert.equal(response.status, 201)
    return createdTokenSchema.strict().parse(await response.json())
  }
  const origin = 'https://app.example'
  const { token } = await mint({ origin, expires_in_seconds: 120 })
  assert.equal((await complete(token, {}, { origin })).status, 200)
  assert.equal(await codeOf(await complete(token)), 'origin_not_allowed')
  assert.equal((await get('/v1/usage', { headers: { ...bearer(token), origin } })).status, 403)
  assert.equal((await complete(`${token}x`, {}, { origin })).status, 401)
  clock.now += 120_000
  assert.equal(await codeOf(await complete(token, {}, { origin })), 'token_expired')

  const { token: second } = await mint({})
  assert.equal((await complete(second)).status, 200)
  await get(`/v1/admin/keys/${parent.id}`, { ...admin, method: 'DELETE' })
  assert.equal(await codeOf(await complete(second)), 'invalid_api_key')
})

test('a token cannot be asked to do more or live longer than allowed', async (t) => {
  const { create, post } = await start(t)
  const { key } = await create({ name: 'x', scopes: ['tokens'] })
  const ask = (body: object, by = key) => post('/v1/tokens', body, { headers: json(by) })
  assert.equal(await codeOf(await ask({})), 'insufficient_scope')
  for (const body of [
    { expires_in_seconds: 86_400 },
    { scopes: ['admin'] },
    { origin: 'https://a.example/path' },
    { origin: 'no-url' },
  ]) {
    assert.equal((await ask(body, API_KEY)).status, 400)
  }
})

test('pages of the origins allowed may call the API, others may not', async (t) => {
  const { get } = await start(t, {
    change: (deps) => ({ ...deps, corsOrigins: ['https://app.example'] }),
  })
  const preflight = (origin: string) =>
    get('/v1/chat/completions', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,idempotency-key',
      },
    })
  const allowed = await preflight('https://app.example')
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(allowed.headers.get('access-control-allow-headers') ?? '', /authorization/)
  assert.match(allowed.headers.get('vary') ?? '', /Origin/)
  const refused = await preflight('https://evil.example')
  assert.equal(refused.headers.get('access-control-allow-origin'), null)

  const origin = { ...bearer(API_KEY), origin: 'https://app.example' }
  const answer = await get('/v1/models', { headers: origin })
  assert.match(answer.headers.get('access-control-expose-headers') ?? '', /x-request-id/)
  // A page must be able to read why it was refused.
  const error = await get('/v1/nothing', { headers: origin })
  assert.equal(error.headers.get('access-control-allow-origin'), 'https://app.example')
})
