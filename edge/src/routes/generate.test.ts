import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { clientUsageOf, FINGERPRINT, logprobsOf, write } from '../test-support/scripts.ts'
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
    system_fingerprint: FINGERPRINT,
    decoding: { mode: 'sbd', block_length: 8, gamma: 0.5, rule: 'strict' },
    seed: 4711,
    prompt_tokens: 2,
    cached_tokens: 0,
  })
  const middle = payloads.slice(1, -1)
  assert.ok(middle.every(({ type }) => type === 'text'))
  assert.equal(middle.map(({ delta }) => delta).join(''), 'The little boat crossed')
  const tokens = tokenizer.encodeText('The little boat crossed').length
  assert.deepEqual(payloads.at(-1), {
    type: 'end',
    finish_reason: 'stop',
    usage: clientUsageOf(2, tokens),
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
      { position: 3, id: b, text: 'b', entropy: b! / 1000 },
      { position: 2, id: a, text: 'a', entropy: a! / 1000 },
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
    system_fingerprint: FINGERPRINT,
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

test('reveals carry log probabilities when they are asked for', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('a') })
  const body = { model: 'tiny', prompt: 'a', reveals: true, logprobs: 1 }
  const { reveals } = (await (await post(PATH, body)).json()) as {
    reveals: { tokens: unknown[] }[]
  }
  const [id] = tokenizer.encodeText('a')
  assert.equal(worker.jobs[0]?.logprobs, 1)
  const { logprob } = logprobsOf(id!, 1)
  assert.deepEqual(reveals[0]?.tokens, [
    {
      position: 2,
      id,
      text: 'a',
      entropy: id! / 1000,
      logprob,
      top_logprobs: [{ id, text: 'a', logprob }],
    },
  ])
})

test('a latency budget selects sbd and starts from gamma', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('a') })
  const body = { model: 'tiny', prompt: 'a', latency_budget_ms: 250 }
  const whole = (await (await post(PATH, { ...body, gamma: 'low' })).json()) as { decoding: object }
  await post(PATH, { ...body, mode: 'sbd' })
  assert.deepEqual(
    worker.jobs.map(({ decoding, latencyBudgetMs }) => [
      decoding.mode,
      decoding.gamma,
      latencyBudgetMs,
    ]),
    [
      ['sbd', 0.1, 250],
      ['sbd', 0.35, 250],
    ],
  )
  assert.deepEqual(whole.decoding, {
    mode: 'sbd',
    block_length: 8,
    gamma: 0.1,
    rule: 'strict',
    latency_budget_ms: 250,
  })
})
