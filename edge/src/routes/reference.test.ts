import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHarness } from '../test-support/harness.ts'

const open = { headers: {} }

test('the reference is a page without scripts that loads nothing from elsewhere', async (t) => {
  const { get } = await startHarness(t, {})
  const response = await get('/docs', open)
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/html/)
  const policy = response.headers.get('content-security-policy') ?? ''
  assert.match(policy, /^default-src 'none'; style-src 'self'; img-src data:;/)
  const page = await response.text()
  assert.doesNotMatch(page, /<script|\son\w+=|style="|(?:src|href)="(?:https?:)?\/\//)
  for (const [, path] of page.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)) {
    const style = await get(path!, open)
    assert.equal(style.status, 200)
    assert.match(style.headers.get('content-type') ?? '', /^text\/css/)
  }
})

test('it names every route, field and error, and its links lead somewhere', async (t) => {
  const { get } = await startHarness(t, {})
  const page = await (await get('/docs', open)).text()
  const document = (await (await get('/openapi.json', open)).json()) as {
    paths: Record<string, object>
    components: { schemas: Record<string, { properties?: object }> }
  }
  const { paths, components } = document
  for (const path of Object.keys(paths)) assert.ok(page.includes(`<code>${path}</code>`), path)
  for (const { properties = {} } of Object.values(components.schemas)) {
    for (const name of Object.keys(properties))
      assert.ok(page.includes(`<code>${name}</code>`), name)
  }
  assert.ok(page.includes('<code>context_length_exceeded</code>'))
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.has(target), target)
})

test('text of the document stays text in the page', async (t) => {
  const { get } = await startHarness(t, {})
  const page = await (await get('/docs', open)).text()
  assert.ok(page.includes('Bearer &lt;key&gt;'))
})
