import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Job } from '@setblock/shared'
import type { JobAnswer } from '../test-support/fake-worker.ts'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { clientUsageOf, startOf, write } from '../test-support/scripts.ts'
import { loadTiny } from '../test-support/tiny-model.ts'

const { tokenizer, encodeChat } = await loadTiny()
const PATH = '/v1/chat/completions'
const messages = [{ role: 'user' as const, content: 'hi' }]
const body = { model: 'tiny', messages, n: 3, temperature: 1, seed: 2 ** 32 - 1 }
const promptTokens = encodeChat(messages).length
const tokensOf = (text: string) => tokenizer.encodeText(text).length

/** Each job writes a text of its own: the last letter of its id. */
const writeId = (job: Job, answer: JobAnswer) => write(`boat ${job.id.at(-1)}`)(job, answer)

interface Chunk {
  choices: { index: number; delta: { role?: string; content?: string }; finish_reason: string }[]
  usage: { completion_tokens: number; prompt_tokens: number; forward_passes: number } | null
}

test('n answers are n jobs with seeds of their own, and one usage', async (t) => {
  const { post, worker, log, idle } = await startHarness(t, { script: writeId })
  const response = await post(PATH, body)
  const answer = (await response.json()) as {
    choices: { index: number; message: { content: string } }[]
    usage: object
  }
  assert.deepEqual(
    answer.choices.map(({ index, message }) => [index, message.content]),
    [
      [0, 'boat 0'],
      [1, 'boat 1'],
      [2, 'boat 2'],
    ],
  )
  const seeds = worker.jobs.map(({ id, sampling }) => [id.at(-1), sampling.seed])
  assert.deepEqual(
    seeds.sort(([a], [b]) => String(a).localeCompare(String(b))),
    [
      ['0', 2 ** 32 - 1],
      ['1', 0],
      ['2', 1],
    ],
  )
  const one = clientUsageOf(promptTokens, tokensOf('boat 0'))
  assert.deepEqual(answer.usage, {
    ...one,
    completion_tokens: 3 * one.completion_tokens,
    total_tokens: promptTokens + 3 * one.completion_tokens,
    forward_passes: 3 * one.forward_passes,
    forward_passes_details: { prefill: 3, decode: 3 * one.forward_passes_details.decode },
    prefill_ms: 6,
    decode_ms: 9,
  })
  await idle()
  assert.equal(log[0]?.['choices'], 3)
})

test('a stream interleaves the choices, each by its index, and sums their usage', async (t) => {
  const { post } = await startHarness(t, { script: writeId })
  const stream = { stream: true, stream_options: { include_usage: true } }
  const payloads = parseSse(await (await post(PATH, { ...body, ...stream })).text())
  assert.equal(payloads.at(-1), '[DONE]')
  const chunks = payloads.slice(0, -1) as Chunk[]
  assert.deepEqual(
    chunks.slice(0, 3).map(({ choices }) => [choices[0]?.index, choices[0]?.delta.role]),
    [
      [0, 'assistant'],
      [1, 'assistant'],
      [2, 'assistant'],
    ],
  )
  for (const index of [0, 1, 2]) {
    const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index))
    assert.equal(own.map(({ delta }) => delta.content ?? '').join(''), `boat ${index}`)
    assert.equal(own.filter(({ finish_reason }) => finish_reason !== null).length, 1)
    assert.equal(own.at(-1)?.finish_reason, 'stop')
  }
  assert.equal(chunks.filter(({ usage }) => usage !== null).length, 1)
  assert.equal(chunks.at(-1)?.usage?.prompt_tokens, promptTokens)
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 3 * tokensOf('boat 0'))
})

test('one refused job refuses the request and ends the others', async (t) => {
  const left = Promise.withResolvers<void>()
  let offered = 0
  const { post, worker } = await startHarness(t, {
    refuse: async () => {
      offered += 1
      if (offered < 2) return undefined
      while (worker.jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      const error = { message: 'full', type: 'rate_limit_error', param: null, code: 'overloaded' }
      return { status: 429, headers: { 'retry-after': '3' }, body: JSON.stringify({ error }) }
    },
    script: async (job, answer) => {
      answer.send(startOf(job))
      await answer.left
      left.resolve()
    },
  })
  const response = await post(PATH, { ...body, n: 2, stream: true })
  assert.equal(response.status, 429)
  assert.equal(response.headers.get('retry-after'), '3')
  assert.equal(response.headers.get('retry-after-ms'), '3000')
  assert.equal(response.headers.get('x-should-retry'), 'true')
  await left.promise
})

test('one job that fails fails the stream, and the others end with it', async (t) => {
  const left = Promise.withResolvers<void>()
  const { post } = await startHarness(t, {
    script: async (job, answer) => {
      answer.send(startOf(job))
      if (job.id.endsWith('-1')) {
        answer.send({ type: 'error', code: 'worker_draining', message: 'going', retryable: true })
        return
      }
      await answer.left
      left.resolve()
    },
  })
  const response = await post(PATH, { ...body, n: 2, stream: true })
  const payloads = parseSse(await response.text()) as { error?: { code: string } }[]
  assert.equal(payloads.at(-1)?.error?.code, 'worker_draining')
  await left.promise
})
