import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startHarness } from '../test-support/harness.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const html = bytes('<!doctype html>')
const page = {
  'index.html': { body: html, gzip: new Uint8Array(gzipSync(html)) },
  'assets/main-1a_B.js': { body: bytes('"use strict"') },
}
const browser = { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } }

test('a browser gets the page at /, everyone else the index', async (t) => {
  const { get } = await startHarness(t, { page })
  const response = await get('/', browser)
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.equal(await response.text(), '<!doctype html>')
  for (const accept of ['application/json', '*/*', '']) {
    const index = await get('/', { headers: { accept } })
    assert.equal(((await index.json()) as { name: string }).name, 'setblock', accept)
    assert.match(index.headers.get('vary') ?? '', /accept/)
  }
})

test('an edge without a built page gives browsers the index too', async (t) => {
  const { get } = await startHarness(t, {})
  assert.equal((await get('/', browser)).headers.get('content-type'), 'application/json')
  assert.equal((await get('/assets/main-1a_B.js')).status, 404)
})

test('files of the page have their type and may be kept for ever', async (t) => {
  const { get } = await startHarness(t, { page })
  const response = await get('/assets/main-1a_B.js', { headers: {} })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/javascript; charset=utf-8')
  assert.match(response.headers.get('cache-control') ?? '', /immutable/)
  for (const name of ['other.js', '..%2findex.html', '.hidden', 'a%00.js']) {
    assert.equal((await get(`/assets/${name}`)).status, 404, name)
  }
})

test('who takes gzip gets it where the platform has it', async (t) => {
  const { get } = await startHarness(t, { page })
  const headers = { ...browser.headers, 'accept-encoding': 'br, gzip' }
  const response = await get('/', { headers })
  assert.equal(response.headers.get('content-encoding'), 'gzip')
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), page['index.html'].gzip)
})

test('nothing can be injected into the page or frame it, and data runs nothing', async (t) => {
  const { get } = await startHarness(t, { page })
  const policy = (await get('/', browser)).headers.get('content-security-policy') ?? ''
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.doesNotMatch(policy, /unsafe|\*/)
  for (const path of ['/', '/v1/models', '/nowhere']) {
    const { headers } = await get(path)
    assert.equal(
      headers.get('content-security-policy'),
      "default-src 'none'; frame-ancestors 'none'",
    )
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
  }
})
