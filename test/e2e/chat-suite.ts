import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI, { AuthenticationError, BadRequestError } from 'openai'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

/** What Setblock adds to the usage of an OpenAI answer. */
interface SetblockUsage {
  readonly completion_tokens: number
  readonly prompt_tokens: number
  readonly total_tokens: number
  readonly forward_passes: number
  readonly forward_passes_details: { readonly prefill: number; readonly decode: number }
  readonly tokens_per_forward: number
}

interface SetblockFields {
  gamma?: number | string
  mode?: 'ntp' | 'verified' | 'sbd'
  block_length?: number
}

const ORDER =
  '[order] Please send 3 hats, 12 pears, 7 lamps to Ada, Paris. Delivery: Monday. Urgent!'
const messages = [{ role: 'user' as const, content: ORDER }]

const usageOf = (answer: { usage?: unknown }): SetblockUsage => answer.usage as SetblockUsage

/** The chat API with the stock `openai` package against real processes. */
export function chatSuite(edge: EdgeRuntime): void {
  describe(`chat completions through the edge on ${edge}`, { timeout: 180_000 }, () => {
    const under = stackUnderTest(edge)

    const complete = (fields: SetblockFields & Partial<OpenAI.ChatCompletionCreateParams> = {}) =>
      under.openai().chat.completions.create({
        model: MODEL,
        messages,
        ...fields,
        stream: false,
      } as OpenAI.ChatCompletionCreateParamsNonStreaming)

    test('an answer and its usage', async () => {
      const answer = await complete()
      assert.equal(answer.object, 'chat.completion')
      assert.equal(answer.choices[0]?.finish_reason, 'stop')
      const record = JSON.parse(answer.choices[0].message.content ?? '') as { city: string }
      assert.equal(record.city, 'Paris')
      const usage = usageOf(answer)
      assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
      const { prefill, decode } = usage.forward_passes_details
      assert.equal(usage.forward_passes, prefill + decode)
      assert.equal(usage.tokens_per_forward, usage.completion_tokens / decode)
    })

    test('a stream gives the same text, in chunks of one id, and the usage last', async () => {
      const whole = await complete()
      const stream = await under.openai().chat.completions.create({
        model: MODEL,
        messages,
        stream: true,
        stream_options: { include_usage: true },
      })
      const chunks = await Array.fromAsync(stream)
      assert.equal(new Set(chunks.map(({ id }) => id)).size, 1)
      assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' })
      const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
      assert.equal(text, whole.choices[0]?.message.content)
      assert.ok(chunks.length > 4)
      const finishes = chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])
      assert.deepEqual(finishes, ['stop'])
      const last = chunks.at(-1)
      assert.deepEqual(last?.choices, [])
      assert.equal(usageOf(last).completion_tokens, usageOf(whole).completion_tokens)
    })

    test('verified gives the text of ntp in fewer forwards', async () => {
      const ntp = await complete({ mode: 'ntp' })
      const verified = await complete({ mode: 'verified' })
      const plain = await complete()
      assert.equal(verified.choices[0]?.message.content, ntp.choices[0]?.message.content)
      assert.equal(plain.choices[0]?.message.content, ntp.choices[0]?.message.content)
      assert.equal(usageOf(plain).completion_tokens, usageOf(verified).completion_tokens)
      assert.equal(usageOf(ntp).tokens_per_forward, 1)
      // How many depends on what rows cost on this machine; beside much other work drafts are short.
      for (const several of [verified, plain]) {
        assert.ok(usageOf(several).forward_passes < usageOf(ntp).forward_passes)
      }
    })

    test('gamma selects sbd and changes the number of forwards', async () => {
      const forwards = async (gamma: number | string): Promise<number> => {
        const answer = await complete({ gamma, max_tokens: 48, stop: ['never said'] })
        return usageOf(answer).forward_passes / usageOf(answer).completion_tokens
      }
      const rates = [await forwards(0), await forwards('low'), await forwards(4)]
      assert.ok(rates[0]! >= 1, String(rates))
      assert.ok(rates[1]! < rates[0]! && rates[2]! < rates[1]!, String(rates))
      assert.ok(rates[2]! < 0.3, String(rates))
    })

    test('a seed replays a sampled answer, in every mode', async () => {
      for (const mode of ['ntp', 'verified', 'sbd'] as const) {
        const text = async (seed: number): Promise<string | null | undefined> => {
          const story = [{ role: 'user' as const, content: 'Tell me a story about a cat, boat.' }]
          const answer = await complete({
            mode,
            messages: story,
            temperature: 1,
            seed,
            max_tokens: 40,
          })
          return answer.choices[0]?.message.content
        }
        assert.equal(await text(7), await text(7))
        assert.notEqual(await text(7), await text(8))
      }
    })

    test('a stop string ends the text before it', async () => {
      const answer = await complete({ stop: ['"city"'] })
      assert.equal(answer.choices[0]?.finish_reason, 'stop')
      assert.equal(answer.choices[0].message.content, '{"customer":"Ada",')
    })

    test('max_tokens ends the text with finish reason length', async () => {
      for (const mode of ['ntp', 'verified', 'sbd'] as const) {
        const answer = await complete({ mode, max_tokens: 5 })
        assert.equal(answer.choices[0]?.finish_reason, 'length')
        assert.equal(usageOf(answer).completion_tokens, 5)
      }
    })

    test('a client that leaves frees the worker', async () => {
      const story = [{ role: 'user' as const, content: 'Tell me a story about a cat, boat.' }]
      for (let round = 0; round < 3; round += 1) {
        const stream = await under.openai().chat.completions.create({
          model: MODEL,
          messages: story,
          stream: true,
          max_tokens: 400,
        })
        for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
        stream.controller.abort()
      }
      assert.equal((await complete({ max_tokens: 3 })).choices[0]?.finish_reason, 'length')
      const activeJobs = async (): Promise<number> => {
        const answer = await fetch(`${under.stack.workerUrl}/readyz`)
        return ((await answer.json()) as { activeJobs: number }).activeJobs
      }
      while ((await activeJobs()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    })

    test('concurrent answers do not change each other', async () => {
      const alone = await complete()
      const together = await Promise.all(Array.from({ length: 6 }, () => complete()))
      for (const answer of together) {
        assert.equal(answer.choices[0]?.message.content, alone.choices[0]?.message.content)
      }
    })

    test('plain completions continue a text', async () => {
      const answer = await under.openai().completions.create({
        model: MODEL,
        prompt: 'Once upon a time, there was a little',
        max_tokens: 20,
      })
      assert.equal(answer.object, 'text_completion')
      assert.match(answer.choices[0]?.text ?? '', /^[ \w]+/)
      assert.equal(answer.choices[0]?.finish_reason, 'length')
    })

    test('the model list names the bundled model', async () => {
      const models = await Array.fromAsync(under.openai().models.list())
      assert.deepEqual(
        models.map(({ id }) => id),
        [MODEL],
      )
    })

    test('the client shows our errors as its own', async () => {
      await assert.rejects(complete({ gamma: -1 }), (error: unknown) => {
        assert.ok(error instanceof BadRequestError)
        assert.equal(error.param, 'gamma')
        return true
      })
      const stranger = new OpenAI({
        apiKey: 'sb-nobody',
        baseURL: `${under.stack.edgeUrl}/v1`,
        maxRetries: 0,
      })
      await assert.rejects(stranger.models.list(), AuthenticationError)
    })
  })
}
