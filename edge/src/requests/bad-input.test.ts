import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startHarness } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'

const CHAT = '/v1/chat/completions'
const COMPLETIONS = '/v1/completions'
const GENERATE = '/v1/generate'
const messages = [{ role: 'user', content: 'hi' }]

interface BadCase {
  path?: string
  /** Merged into a good body; a string is sent as it is. */
  body: object | string
  code: string
  param: string | null
  message: RegExp
}

const invalid = (param: string, value: unknown, message: RegExp): BadCase => ({
  body: { [param]: value },
  code: 'invalid_request',
  param,
  message,
})
const unsupported = (param: string, value: unknown): BadCase => ({
  body: { [param]: value },
  code: 'unsupported_parameter',
  param,
  message: new RegExp(`^${param}: this parameter is not supported$`),
})

const GAMMA = /^gamma: must be a number from 0 to 256 or one of low, balanced, high$/

const CASES: BadCase[] = [
  { body: '{"model":', code: 'invalid_json', param: null, message: /not valid JSON in UTF-8/ },
  { body: '', code: 'invalid_json', param: null, message: /not valid JSON/ },
  { body: '[]', code: 'invalid_request', param: null, message: /expected object/ },
  { body: 'null', code: 'invalid_request', param: null, message: /expected object/ },

  invalid('model', undefined, /^model: .*expected string/),
  invalid('model', 7, /expected string/),
  invalid('model', '../x', /letters, digits/),
  { body: { model: 'other' }, code: 'model_not_found', param: 'model', message: /no other here/ },

  invalid('messages', undefined, /expected array/),
  invalid('messages', [], /^messages: .*>=1/),
  invalid('messages', 'hi', /expected array/),
  {
    body: { messages: [{ role: 'tool', content: 'x' }] },
    code: 'invalid_request',
    param: 'messages[0].role',
    message: /"system"\|"developer"\|"user"\|"assistant"/,
  },
  {
    body: { messages: [...messages, { role: 'user' }] },
    code: 'invalid_request',
    param: 'messages[1].content',
    message: /must be text or a list/,
  },
  {
    body: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    code: 'invalid_request',
    param: 'messages[0].content',
    message: /must be text or a list/,
  },
  {
    body: { messages: [{ role: 'user', content: 'half \ud83d pair' }] },
    code: 'invalid_request',
    param: 'messages[0].content',
    message: /well-formed Unicode/,
  },
  {
    body: { messages: [{ role: 'user', content: 'x', name: 'Ada' }] },
    code: 'unsupported_parameter',
    param: 'messages[0].name',
    message: /not supported/,
  },
  {
    body: { messages: [{ role: 'assistant', content: 'x', tool_calls: [{ id: 'a' }] }] },
    code: 'unsupported_parameter',
    param: 'messages[0].tool_calls',
    message: /not supported/,
  },

  invalid('gamma', -1, GAMMA),
  invalid('gamma', 'abc', GAMMA),
  invalid('gamma', '0.35', GAMMA),
  invalid('gamma', null, GAMMA),
  invalid('gamma', 257, GAMMA),
  {
    body: `{"model":"tiny","messages":[{"role":"user","content":"hi"}],"gamma":1e999}`,
    code: 'invalid_request',
    param: 'gamma',
    message: GAMMA,
  },
  invalid('mode', 'fast', /"verified"\|"sbd"\|"ntp"/),
  invalid('rule', 'greedy', /"entropy-bound"\|"strict"\|"threshold"/),
  invalid('block_length', 1, />=2/),
  invalid('block_length', 17, /<=16/),
  invalid('block_length', 4.5, /expected int/),
  {
    body: { mode: 'verified', gamma: 0.1 },
    code: 'invalid_request',
    param: 'gamma',
    message: /no meaning in mode verified/,
  },
  {
    body: { mode: 'ntp', rule: 'strict' },
    code: 'invalid_request',
    param: 'rule',
    message: /no meaning in mode ntp/,
  },
  {
    body: { mode: 'ntp', block_length: 4 },
    code: 'invalid_request',
    param: 'block_length',
    message: /no meaning in mode ntp/,
  },

  invalid('temperature', 2.1, /<=2/),
  invalid('temperature', '1', /expected number/),
  invalid('top_p', 0, />0/),
  invalid('top_k', 65, /<=64/),
  invalid('seed', -1, />=0/),
  invalid('seed', 2 ** 32, /<=4294967295/),
  invalid('stop', '', /up to 4 strings of 1 to 64 characters/),
  invalid('stop', ['a', 'b', 'c', 'd', 'e'], /up to 4 strings/),
  invalid('stop', 5, /up to 4 strings/),
  invalid('stop', 'x'.repeat(65), /of 1 to 64 characters/),
  invalid('stream', 'yes', /expected boolean/),
  invalid('stream_options', { include_usage: true }, /needs stream/),
  invalid('max_tokens', 0, />=1/),
  invalid('max_tokens', 1.5, /expected int/),
  {
    body: { max_tokens: 5, max_completion_tokens: 5 },
    code: 'invalid_request',
    param: 'max_tokens',
    message: /not both/,
  },
  {
    body: { max_tokens: 200 },
    code: 'context_length_exceeded',
    param: 'max_tokens',
    message:
      /^max_tokens: \d+ prompt tokens and 200 more exceed the model's context of 128 tokens$/,
  },
  {
    body: { max_completion_tokens: 128 },
    code: 'context_length_exceeded',
    param: 'max_completion_tokens',
    message: /and 128 more exceed/,
  },
  {
    body: { messages: [{ role: 'user', content: '1'.repeat(124) }] },
    code: 'context_length_exceeded',
    param: 'messages',
    message: /^messages: has 128 tokens, and the model's context is 128 tokens$/,
  },
  {
    body: { messages: [{ role: 'user', content: 'a'.repeat(50_000) }] },
    code: 'context_length_exceeded',
    param: 'messages',
    message: /has 50000 characters/,
  },

  invalid('n', 0, />=1/),
  invalid('n', 9, /<=8/),
  invalid('logprobs', 3, /expected boolean/),
  invalid('top_logprobs', 3, /^top_logprobs: needs logprobs to be true$/),
  invalid('top_logprobs', 21, /<=20/),
  invalid('latency_budget_ms', 0, />=1/),
  {
    body: { latency_budget_ms: 100, mode: 'verified' },
    code: 'invalid_request',
    param: 'latency_budget_ms',
    message: /no meaning in mode verified/,
  },
  {
    body: `{"model":"tiny","tools":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    code: 'invalid_json',
    param: null,
    message: /nested deeper than 64/,
  },
  unsupported('frequency_penalty', 0.5),
  unsupported('presence_penalty', -1),
  unsupported('logit_bias', { 5: 100 }),
  unsupported('tools', [{ type: 'function' }]),
  unsupported('tool_choice', 'required'),
  unsupported('functions', [{}]),
  unsupported('store', true),
  unsupported('service_tier', 'flex'),
  unsupported('reasoning_effort', 'low'),
  invalid('session', 'no/slash', /must be letters/),
  invalid('append', true, /^append: needs a session$/),
  invalid('on_disconnect', 'keep', /^on_disconnect: needs a session$/),
  {
    body: { session: 's', n: 2 },
    code: 'invalid_request',
    param: 'n',
    message: /one continuation/,
  },
  unsupported('reveals', true),
  unsupported('constructor', 1),
  {
    body: `{"model":"tiny","messages":[{"role":"user","content":"hi"}],"__proto__":{"stream":true}}`,
    code: 'unsupported_parameter',
    param: '__proto__',
    message: /not supported/,
  },
  {
    body: { stream: true, stream_options: { include_drafts: true } },
    code: 'unsupported_parameter',
    param: 'stream_options.include_drafts',
    message: /not supported/,
  },

  { path: COMPLETIONS, ...invalid('prompt', undefined, /one string or one list/) },
  { path: COMPLETIONS, ...invalid('prompt', [], /one string or one list/) },
  { path: COMPLETIONS, ...invalid('prompt', ['a', 'b'], /one string or one list/) },
  { path: COMPLETIONS, ...invalid('prompt', [1, -1], /.*/) },
  { path: COMPLETIONS, ...invalid('prompt', [1, 3], /3 is no token/) },
  { path: COMPLETIONS, ...invalid('prompt', [1, 100_000], /100000 is no token/) },
  { path: COMPLETIONS, ...unsupported('echo', true) },
  { path: COMPLETIONS, ...unsupported('suffix', 'x') },
  { path: COMPLETIONS, ...unsupported('best_of', 2) },
  { path: COMPLETIONS, ...invalid('logprobs', 6, /<=5/) },
  { path: COMPLETIONS, ...unsupported('messages', messages) },

  { path: GENERATE, ...invalid('prompt', undefined, /either prompt or messages/) },
  {
    path: GENERATE,
    body: { messages },
    code: 'invalid_request',
    param: 'prompt',
    message: /either prompt or messages/,
  },
  { path: GENERATE, ...invalid('reveals', 1, /expected boolean/) },
  { path: GENERATE, ...invalid('logprobs', 1, /needs reveals/) },
  { path: GENERATE, ...unsupported('n', 1) },
]

const goodBody = (path: string) =>
  path === CHAT ? { model: 'tiny', messages } : { model: 'tiny', prompt: 'hi' }

test('each bad input gets its own error, and none reaches a worker', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('hi') })
  for (const { path = CHAT, body, code, param, message } of CASES) {
    const sent = typeof body === 'string' ? body : { ...goodBody(path), ...body }
    const response = await post(path, sent)
    const label = JSON.stringify({ path, body }).slice(0, 200)
    const { error } = (await response.json()) as { error: Record<string, unknown> }
    assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type'], label)
    assert.equal(error['code'], code, `${label}: ${String(error['message'])}`)
    assert.equal(error['param'], param, `${label}: ${String(error['message'])}`)
    assert.match(String(error['message']), message, label)
    assert.equal(response.status, code === 'model_not_found' ? 404 : 400, label)
    assert.equal(response.headers.get('x-should-retry'), 'false')
  }
  assert.equal(worker.jobs.length, 0)
})

test('the exact body of an error', async (t) => {
  const { post } = await startHarness(t, {})
  const response = await post(CHAT, { ...goodBody(CHAT), logit_bias: { 1: 2 } })
  assert.deepEqual(await response.json(), {
    error: {
      message: 'logit_bias: this parameter is not supported',
      type: 'invalid_request_error',
      param: 'logit_bias',
      code: 'unsupported_parameter',
    },
  })
})

test('only JSON of a bounded size is read', async (t) => {
  const { post } = await startHarness(t, {})
  const codeOf = async (response: Response) =>
    [response.status, ((await response.json()) as { error: { code: string } }).error.code] as const
  const headers = { authorization: 'Bearer sb-test-key', 'content-type': 'text/plain' }
  assert.deepEqual(await codeOf(await post(CHAT, '{}', { headers })), [
    415,
    'unsupported_media_type',
  ])
  const packed = { ...headers, 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const gzip = new Uint8Array(gzipSync(JSON.stringify(goodBody(CHAT))))
  assert.deepEqual(await codeOf(await post(CHAT, '', { headers: packed, body: gzip })), [
    415,
    'unsupported_media_type',
  ])
  const large = { ...goodBody(CHAT), user: 'x'.repeat(1024 * 1024) }
  assert.deepEqual(await codeOf(await post(CHAT, large)), [413, 'request_too_large'])
  const invalidUtf8 = new Uint8Array([...new TextEncoder().encode('{"model":"'), 0xff, 0x22, 0x7d])
  assert.deepEqual(await codeOf(await post(CHAT, '', { body: invalidUtf8 })), [400, 'invalid_json'])
})

test('a body of unannounced length is counted as it comes', async (t) => {
  const { post } = await startHarness(t, {})
  let sent = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 64 * 1024
      controller.enqueue(new Uint8Array(64 * 1024).fill(0x20))
    },
  })
  const response = await post(CHAT, '', { body, duplex: 'half' })
  assert.equal(response.status, 413)
  assert.ok(sent < 2 * 1024 * 1024)
})

test('a body that breaks off is the client’s doing', async (t) => {
  const { post, log } = await startHarness(t, {})
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('connection reset')),
  })
  assert.equal((await post(CHAT, '', { body, duplex: 'half' })).status, 499)
  assert.equal(log[0]?.['error'], 'aborted')
})
