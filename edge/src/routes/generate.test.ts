import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'
import { loadTiny, TINY } from '../test-support/tiny-model.ts'

const { tokenizer, encodeChat } = await loadTiny()
const PATH = '/v1/generate'

interface NativePayload {
  type: string
  delta?: string
  positions?: number[]
  tokens?: { position: number; id: number; text: string }[]
}

test('a stream is start, text, end, and nothing else', async (t) => {
  const { post } = await startHarness(t, { script: write('The little boat crossed') })
  const response = await post(PATH, { model: 'tiny', prompt: 'a', stream: true, gamma: 0.5 })
  const payloads = parseSse(await response.text()) as NativePayload[]
  const { created, ...start } = payloads[0] as NativePayload & { created: number }
  assert.ok(created > 0)
  assert.deepEqual(start, {
    type: 'start',
    id: 'gen-id2',
    model: 'tiny',
    decoding: { mode: 'sbd', block_length: 8, gamma: 0.5, rule: 'strict' },
    seed: 4711,
    prompt_tokens: 2,
    cached_tokens: 0,
  })
  const middle = payloads.slice(1, -1)
  assert.ok(middle.every(({ type }) => type === 'text'))
  assert.equal(middle.map(({ delta }) => delta).join(''), 'The little boat crossed')
  const tokens = tokenizer.encodeText('The little boat crossed').length
  const decode = Math.ceil(tokens / 2)
  assert.deepEqual(payloads.at(-1), {
    type: 'end',
    finish_reason: 'stop',
    usage: {
      prompt_tokens: 2,
      completion_tokens: tokens,
      total_tokens: 2 + tokens,
      prompt_tokens_details: { cached_tokens: 0 },
      forward_passes: 1 + decode,
      forward_passes_details: { prefill: 1, decode },
      tokens_per_forward: tokens / decode,
    },
  })
})

test('reveals come as the worker revealed, each before the text it completes', async (t) => {
  const { post } = await startHarness(t, { script: write('ab') })
  const body = { model: 'tiny', prompt: 'a', reveals: true }
  const [a, b] = tokenizer.encodeText('ab')
  const reveal = {
    block: 0,
    step: 0,
    positions: [3, 2],
    tokens: [
      { position: 3, id: b, text: 'b' },
      { position: 2, id: a, text: 'a' },
    ],
  }
  const stream = await post(PATH, { ...body, stream: true })
  const payloads = parseSse(await stream.text()) as NativePayload[]
  assert.deepEqual(payloads.slice(1, 3), [
    { type: 'reveal', ...reveal },
    { type: 'text', delta: 'ab' },
  ])
  const whole = (await (await post(PATH, body)).json()) as { text: string; reveals: unknown }
  assert.equal(whole.text, 'ab')
  assert.deepEqual(whole.reveals, [reveal])
})

test('a whole answer says how it was decoded', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('ab') })
  const messages = [{ role: 'user', content: 'hi' }]
  const response = await post(PATH, { model: 'tiny', messages, mode: 'ntp', seed: 5 })
  const body = (await response.json()) as { created: number; usage: object }
  assert.deepEqual(body, {
    object: 'generation',
    id: 'gen-id2',
    created: body.created,
    model: 'tiny',
    decoding: { mode: 'ntp' },
    seed: 5,
    text: 'ab',
    finish_reason: 'stop',
    usage: body.usage,
  })
  assert.deepEqual(worker.jobs[0]?.tokenIds, encodeChat([{ role: 'user', content: 'hi' }]))
  assert.equal(worker.jobs[0]?.tokenIds[0], TINY.bos)
})

test('a failure in the stream is an error event, the last one', async (t) => {
  const { post } = await startHarness(t, {
    script: (job, answer) => {
      answer.send(
        { type: 'start', promptTokens: job.tokenIds.length, cachedTokens: 0, queueMs: 0 },
        { type: 'error', code: 'deadline_exceeded', message: 'too late', retryable: true },
      )
    },
  })
  const response = await post(PATH, { model: 'tiny', prompt: 'a', stream: true })
  const payloads = parseSse(await response.text())
  assert.equal(payloads.length, 2)
  assert.deepEqual(payloads[1], {
    type: 'error',
    error: {
      message: 'too late',
      type: 'server_error',
      param: null,
      code: 'deadline_exceeded',
    },
  })
})
