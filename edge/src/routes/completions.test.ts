import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { FINGERPRINT, logprobsOf, write } from '../test-support/scripts.ts'
import { loadTiny, TINY } from '../test-support/tiny-model.ts'

const { tokenizer } = await loadTiny()
const PATH = '/v1/completions'

test('a whole answer has OpenAI’s shape', async (t) => {
  const { post } = await startHarness(t, { script: write(' a time', 'length') })
  const response = await post(PATH, { model: 'tiny', prompt: 'Once upon' })
  const body = (await response.json()) as { created: number; usage: object }
  assert.deepEqual(body, {
    id: 'cmpl-id2',
    object: 'text_completion',
    created: body.created,
    model: 'tiny',
    system_fingerprint: FINGERPRINT,
    choices: [{ index: 0, text: ' a time', logprobs: null, finish_reason: 'length' }],
    usage: body.usage,
  })
})

test('a stream is text, finish, usage, [DONE], in this order', async (t) => {
  const { post } = await startHarness(t, { script: write(' a time') })
  const stream = { stream: true, stream_options: { include_usage: true } }
  const response = await post(PATH, { model: 'tiny', prompt: 'Once upon', ...stream })
  const payloads = parseSse(await response.text()) as {
    object: string
    choices: { text: string; finish_reason: string | null }[]
    usage: { total_tokens: number } | null
  }[]
  const text = payloads.slice(0, -3).map(({ choices }) => choices[0]?.text)
  assert.equal(text.join(''), ' a time')
  assert.ok(payloads.slice(0, -1).every(({ object }) => object === 'text_completion'))
  assert.deepEqual(payloads.at(-3)?.choices, [
    { index: 0, text: '', logprobs: null, finish_reason: 'stop' },
  ])
  assert.deepEqual(payloads.at(-2)?.choices, [])
  assert.ok(payloads.at(-2)?.usage?.total_tokens)
  assert.ok(payloads.slice(0, -2).every(({ usage }) => usage === null))
  assert.equal(payloads.at(-1), '[DONE]')
})

test('a prompt is text behind the begin token, or token ids as they are', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('x') })
  for (const prompt of ['<|end|>a', ['<|end|>a'], [1, 5, 80], [[1, 5, 80]], '']) {
    assert.equal((await post(PATH, { model: 'tiny', prompt })).status, 200)
  }
  const text = [TINY.bos, ...tokenizer.encodeText('<|end|>a')]
  assert.deepEqual(
    worker.jobs.map(({ tokenIds }) => tokenIds),
    [text, text, [1, 5, 80], [1, 5, 80], [TINY.bos]],
  )
})

test('log probabilities are parallel lists with offsets in the text', async (t) => {
  const { post, worker } = await startHarness(t, { script: write(' a é') })
  const response = await post(PATH, { model: 'tiny', prompt: 'x', logprobs: 2 })
  const { choices } = (await response.json()) as {
    choices: { text: string; logprobs: Record<string, unknown[]> }[]
  }
  assert.equal(worker.jobs[0]?.logprobs, 2)
  const { text, logprobs } = choices[0]!
  const ids = tokenizer.encodeText(' a é')
  assert.equal(text, ' a é')
  assert.deepEqual(
    logprobs['token_logprobs'],
    ids.map((id) => logprobsOf(id, 0).logprob),
  )
  assert.equal(logprobs['tokens']?.length, ids.length)
  const offsets = logprobs['text_offset'] as number[]
  assert.equal(offsets[0], 0)
  assert.ok(offsets.every((offset, index) => index === 0 || offset >= offsets[index - 1]!))
  for (const top of logprobs['top_logprobs'] ?? [])
    assert.equal(Object.keys(top as object).length, 2)
})
