import assert from 'node:assert/strict'
import { APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError } from 'openai'
import { idle, ORDER, STORY, userSays } from './case.ts'
import type { ConformanceCase, ConformanceSuite } from './case.ts'
import { complete, connect, stream, textOf, type Extension } from './openai-client.ts'
import { openAiFailures } from './openai-failures.ts'
import { openAiParameterCases } from './openai-parameters.ts'
import { openAiStructuredCases } from './openai-structured.ts'

const chat: ConformanceCase[] = [
  {
    name: 'a whole answer with usage and request id',
    async run(target) {
      const answer = await complete(target)
      assert.equal((JSON.parse(textOf(answer)!) as { city: string }).city, 'Paris')
      assert.equal(answer.choices[0]?.finish_reason, 'stop')
      const usage = answer.usage!
      assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
      assert.match(answer.system_fingerprint!, /^fp_/)
      assert.ok(answer._request_id)
    },
  },
  {
    name: 'a stream: role, text, one finish reason, usage last',
    async run(target) {
      const options = { stream_options: { include_usage: true } }
      const chunks = await Array.fromAsync(await stream(target, options))
      assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' })
      const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
      assert.equal(text, textOf(await complete(target)))
      const finishes = chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])
      assert.deepEqual(finishes, ['stop'])
      assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null))
      assert.ok(chunks.at(-1)!.usage!.completion_tokens > 0)
      assert.equal(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size, 1)
    },
  },
  {
    name: 'a stream without include_usage has no usage in it',
    async run(target) {
      const chunks = await Array.fromAsync(await stream(target, { max_tokens: 4 }))
      assert.ok(chunks.every((chunk) => chunk.usage === undefined && chunk.choices.length === 1))
    },
  },
  {
    name: 'the stream helper assembles the whole answer',
    async run(target) {
      const body = { model: target.model, messages: userSays(ORDER) }
      const helper = connect(target).chat.completions.stream(body)
      let seen = ''
      helper.on('content', (delta) => (seen += delta))
      const final = await helper.finalChatCompletion()
      assert.equal(final.choices[0]?.message.content, seen)
      assert.equal(seen, textOf(await complete(target)))
    },
  },
  {
    name: 'n answers, whole and streamed, the same ones',
    async run(target) {
      const fields = { messages: userSays(STORY), n: 3, seed: 5, temperature: 1, max_tokens: 12 }
      const whole = await complete(target, fields)
      const texts = whole.choices.map(({ message }) => message.content)
      assert.equal(new Set(texts).size, 3)
      assert.equal(whole.usage?.completion_tokens, 36)
      const streamed = ['', '', '']
      for await (const { choices } of await stream(target, fields)) {
        for (const { index, delta } of choices) streamed[index] += delta.content ?? ''
      }
      assert.deepEqual(streamed, texts)
      const [first] = (await complete(target, { ...fields, n: 1 })).choices
      assert.equal(first?.message.content, texts[0])
    },
  },
  {
    name: 'a seed replays a sampled answer',
    async run(target) {
      const fields = { messages: userSays(STORY), temperature: 1, max_tokens: 24 }
      const text = async (seed: number) => textOf(await complete(target, { ...fields, seed }))
      assert.equal(await text(3), await text(3))
      assert.notEqual(await text(3), await text(4))
    },
  },
  {
    name: 'stop strings, max_tokens and max_completion_tokens end the text',
    async run(target) {
      const stopped = await complete(target, { stop: ['"city"'] })
      assert.equal(textOf(stopped), '{"customer":"Ada",')
      assert.equal(stopped.choices[0]?.finish_reason, 'stop')
      for (const field of ['max_tokens', 'max_completion_tokens']) {
        const cut = await complete(target, { [field]: 5 })
        assert.equal(cut.choices[0]?.finish_reason, 'length')
        assert.equal(cut.usage?.completion_tokens, 5)
      }
    },
  },
  {
    name: 'content in parts, the developer role and an answer sent back',
    async run(target) {
      const { message } = (await complete(target, { max_tokens: 6 })).choices[0]!
      const answer = await complete(target, {
        messages: [
          { role: 'developer', content: 'Be brief.' },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'Hel' },
              { type: 'text', text: 'lo' },
            ],
          },
          message,
          { role: 'user', content: 'Again.' },
        ],
        max_tokens: 3,
      })
      assert.equal(answer.usage?.completion_tokens, 3)
    },
  },
  {
    name: 'our own fields pass, and what they cost comes back',
    async run(target) {
      const usageOf = async (fields: Extension) =>
        (await complete(target, { ...fields, max_tokens: 24, stop: ['~'] })).usage as unknown as {
          forward_passes: number
          effective_gamma: number | null
        }
      const [plain, bold] = [await usageOf({ mode: 'ntp' }), await usageOf({ gamma: 4 })]
      assert.equal(plain.effective_gamma, null)
      assert.equal(bold.effective_gamma, 4)
      assert.ok(bold.forward_passes < plain.forward_passes)
      const hurried = await usageOf({ gamma: 0, latency_budget_ms: 1 })
      assert.ok(hurried.effective_gamma! > 0)
    },
  },
]

const logprobs: ConformanceCase[] = [
  {
    name: 'logprobs spell the text and rank the greedy token first',
    async run(target) {
      const answer = await complete(target, { logprobs: true, top_logprobs: 3 })
      const { content } = answer.choices[0]!.logprobs!
      const bytes = content!.flatMap((entry) => entry.bytes ?? [])
      assert.equal(new TextDecoder().decode(new Uint8Array(bytes)), textOf(answer))
      for (const { token, logprob, top_logprobs: top } of content!) {
        assert.deepEqual([top.length, top[0]?.token, top[0]?.logprob], [3, token, logprob])
        assert.ok(top[0]!.logprob >= top[1]!.logprob && logprob <= 0)
      }
    },
  },
  {
    name: 'logprobs streamed are those of the whole answer',
    async run(target) {
      const fields = { logprobs: true, top_logprobs: 1, mode: 'ntp', max_tokens: 20 }
      const whole = await complete(target, fields)
      const chunks = await Array.fromAsync(await stream(target, fields))
      const tokens = chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])
      assert.deepEqual(
        tokens.map(({ token }) => token),
        whole.choices[0]?.logprobs?.content?.map(({ token }) => token),
      )
    },
  },
]

const completions: ConformanceCase[] = [
  {
    name: 'completions: whole, streamed, n and logprobs',
    async run(target) {
      const body = { model: target.model, prompt: 'Once upon a time, there was a', max_tokens: 12 }
      const client = connect(target)
      const whole = await client.completions.create({ ...body, logprobs: 2, n: 2 })
      assert.deepEqual(
        whole.choices.map(({ index }) => index),
        [0, 1],
      )
      const { text, logprobs } = whole.choices[0]!
      assert.equal(logprobs?.tokens?.join(''), text)
      assert.deepEqual(logprobs?.text_offset?.[0], 0)
      assert.equal(Object.keys(logprobs?.top_logprobs?.[0] ?? {}).length, 2)
      const chunks = await Array.fromAsync(
        await client.completions.create({ ...body, stream: true }),
      )
      assert.equal(chunks.map(({ choices }) => choices[0]?.text ?? '').join(''), text)
      assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length')
    },
  },
  {
    name: 'models: list, retrieve, one that is unknown',
    async run(target) {
      const client = connect(target)
      const models = await Array.fromAsync(client.models.list())
      assert.ok(models.some(({ id }) => id === target.model))
      assert.equal((await client.models.retrieve(target.model)).object, 'model')
      await assert.rejects(client.models.retrieve('gpt-9'), NotFoundError)
    },
  },
]

const failures: ConformanceCase[] = [
  {
    name: 'errors are the client’s own classes, with code, param and request id',
    async run(target) {
      await assert.rejects(complete(target, { gamma: -1 }), (error: unknown) => {
        assert.ok(error instanceof BadRequestError)
        assert.deepEqual([error.code, error.param], ['invalid_request', 'gamma'])
        assert.ok(error.requestID)
        return true
      })
      await assert.rejects(complete(target, { model: 'gpt-9' }), NotFoundError)
      const stranger = connect({ ...target, key: 'sb-nobody' })
      await assert.rejects(stranger.models.list(), AuthenticationError)
    },
  },
  {
    name: 'a refusal that cannot heal is not retried',
    async run(target) {
      let calls = 0
      const client = connect(target, {
        fetch: (url, init) => {
          calls += 1
          return fetch(url, init)
        },
      })
      const body = { model: target.model, messages: userSays('hi'), temperature: 9 }
      await assert.rejects(client.chat.completions.create(body), BadRequestError)
      assert.equal(calls, 1)
    },
  },
  {
    name: 'leaving a stream frees the worker',
    async run(target) {
      const story = { messages: userSays(STORY), max_tokens: 400, temperature: 1 }
      for await (const chunk of await stream(target, story)) {
        if (chunk.choices[0]?.delta.content) break
      }
      const abort = new AbortController()
      const body = { model: target.model, ...story }
      const whole = connect(target).chat.completions.create(body, { signal: abort.signal })
      setImmediate(() => abort.abort())
      await assert.rejects(whole, APIUserAbortError)
      await idle(target)
    },
  },
]

export const openAiSuite: ConformanceSuite = {
  client: 'openai',
  packages: ['openai'],
  cases: [
    ...chat,
    ...logprobs,
    ...openAiStructuredCases,
    ...completions,
    ...failures,
    ...openAiParameterCases,
  ],
  failures: openAiFailures,
}
