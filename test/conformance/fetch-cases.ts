import assert from 'node:assert/strict'
import { fuzz, FUZZED } from '../../edge/src/test-support/fuzz.ts'
import type { ConformanceCase, ConformanceSuite } from './case.ts'

const RUNS = 40
const SEED = 20_261_121
const MAX_TOKENS = 3

const fuzzed: ConformanceCase[] = FUZZED.map((route) => ({
  name: `${RUNS} bodies made from the schema of ${route.path}: answered, or refused by name`,
  async run({ edgeUrl, key, model }) {
    const post = (path: string, body: string) =>
      fetch(edgeUrl + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body,
      })
    const options = { route, model, post, runs: RUNS, seed: SEED, maxTokens: MAX_TOKENS }
    const { answered, refused } = await fuzz(options)
    assert.ok(answered > 0 && refused > 0, `${answered} answered, ${refused} refused`)
  },
}))

const reference: ConformanceCase = {
  name: 'the API describes itself to programs and to people, without a key',
  async run({ edgeUrl }) {
    const document = await fetch(`${edgeUrl}/openapi.json`)
    assert.match(((await document.json()) as { openapi: string }).openapi, /^3\.1\./)
    const page = await fetch(`${edgeUrl}/docs`)
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.match(await page.text(), /id="createChatCompletion"/)
    assert.equal((await fetch(`${edgeUrl}/docs/style.css`)).status, 200)
  },
}

export const fetchSuite: ConformanceSuite = {
  client: 'fetch',
  packages: [],
  cases: [...fuzzed, reference],
  failures: [],
}
