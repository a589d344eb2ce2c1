import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { importJobSecret, sha256Hex, signJobToken, verifyJobToken } from './job-token.ts'
import { limits } from './limits.ts'

const NOW_MS = 1_700_000_000_000
const secret = 's'.repeat(limits.jobSecretCharactersMin)
const key = await importJobSecret(secret)
const bodySha256 = await sha256Hex('{"id":"job-1"}')
const payload = { tenant: 'demo', expiresAt: NOW_MS + 30_000, bodySha256 }

const verify = (token: string, nowMs = NOW_MS, body = bodySha256) =>
  verifyJobToken(key, { token, bodySha256: body, nowMs })

test('a token says who asked, for which body', async () => {
  const verdict = await verify(await signJobToken(key, payload))
  assert.ok(verdict.ok)
  const { nonce, ...said } = verdict.payload
  assert.deepEqual(said, payload)
  const again = await verify(await signJobToken(key, payload))
  assert.ok(again.ok && again.payload.nonce !== nonce, 'two tokens for the same are two')
})

test('the signature is HMAC-SHA256 over the purpose and the payload as sent', async () => {
  const [encoded, signature] = (await signJobToken(key, payload)).split('.')
  const expected = createHmac('sha256', secret).update(`setblock-job-v1.${encoded}`)
  assert.equal(signature, expected.digest('base64url'))
})

test('the digest is SHA-256 over UTF-8', async () => {
  assert.equal(await sha256Hex('kŏan'), createHash('sha256').update('kŏan').digest('hex'))
})

test('a token ends at its expiry, by the clock given', async () => {
  const token = await signJobToken(key, payload)
  assert.equal((await verify(token, payload.expiresAt - 1)).ok, true)
  assert.deepEqual(await verify(token, payload.expiresAt), { ok: false, failure: 'expired' })
})

test('a token that would live too long is refused, even when genuine', async () => {
  const longest = NOW_MS + limits.jobTokenLifetimeMs + limits.clockSkewMs
  const accepted = await signJobToken(key, { ...payload, expiresAt: longest })
  const refused = await signJobToken(key, { ...payload, expiresAt: longest + 1 })
  assert.equal((await verify(accepted)).ok, true)
  assert.deepEqual(await verify(refused), { ok: false, failure: 'lifetime-too-long' })
})

test('a token is worth nothing with another body or another secret', async () => {
  const token = await signJobToken(key, payload)
  const other = await sha256Hex('{"id":"job-2"}')
  assert.deepEqual(await verify(token, NOW_MS, other), { ok: false, failure: 'body-mismatch' })

  const stranger = await importJobSecret('t'.repeat(40))
  const verdict = await verifyJobToken(stranger, { token, bodySha256, nowMs: NOW_MS })
  assert.deepEqual(verdict, { ok: false, failure: 'bad-signature' })
})

test('a payload changed under its signature is refused', async () => {
  const [encoded, signature] = (await signJobToken(key, payload)).split('.')
  const text = Buffer.from(encoded ?? '', 'base64url')
    .toString()
    .replace('demo', 'root')
  const forged = `${Buffer.from(text).toString('base64url')}.${signature}`
  assert.deepEqual(await verify(forged), { ok: false, failure: 'bad-signature' })
})

test('a signed payload of another shape is malformed', async () => {
  const encoded = Buffer.from('{"tenant":"demo"}').toString('base64url')
  const signature = createHmac('sha256', secret).update(`setblock-job-v1.${encoded}`)
  const token = `${encoded}.${signature.digest('base64url')}`
  assert.deepEqual(await verify(token), { ok: false, failure: 'malformed' })
})

for (const token of ['', '.', 'a', 'a.', '.a', 'a.b.c', 'a+/.b', 'é.b', 'a'.repeat(4000)]) {
  test(`rubbish is malformed: ${JSON.stringify(token.slice(0, 20))}`, async () => {
    assert.deepEqual(await verify(token), { ok: false, failure: 'malformed' })
  })
}

test('a short secret is refused at once', () => {
  assert.throws(() => importJobSecret('s'.repeat(31)), /at least 32 characters/)
})

test('a tenant too long to be one cannot be signed', async () => {
  await assert.rejects(signJobToken(key, { ...payload, tenant: 'x'.repeat(65) }))
})
