import assert from 'node:assert/strict'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from 'ai'
import * as z from 'zod'
import { aiSdkFailures } from './ai-sdk-failures.ts'
import { idle, ORDER, STORY } from './case.ts'
import type { ConformanceCase, ConformanceSuite, Target } from './case.ts'

function connect({ edgeUrl, key }: Target, fetch?: typeof globalThis.fetch) {
  return createOpenAICompatible({
    name: 'setblock',
    baseURL: `${edgeUrl}/v1`,
    apiKey: key,
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...(fetch === undefined ? {} : { fetch }),
  })
}

// The completion model warns of a setting that nobody set.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

const modelOf = (target: Target) => connect(target).chatModel(target.model)

const cases: ConformanceCase[] = [
  {
    name: 'generateText: text, finish reason, usage',
    async run(target) {
      const { text, finishReason, usage } = await generateText({
        model: modelOf(target),
        prompt: ORDER,
      })
      assert.equal((JSON.parse(text) as { city: string }).city, 'Paris')
      assert.equal(finishReason, 'stop')
      assert.ok(usage.inputTokens! > 0 && usage.outputTokens! > 0)
      assert.equal(usage.totalTokens, usage.inputTokens! + usage.outputTokens!)
    },
  },
  {
    name: 'streamText: the same text in pieces, and its usage',
    async run(target) {
      const result = streamText({ model: modelOf(target), prompt: ORDER })
      const pieces = await Array.fromAsync(result.textStream)
      assert.ok(pieces.length > 2)
      const whole = await generateText({ model: modelOf(target), prompt: ORDER })
      assert.equal(pieces.join(''), whole.text)
      assert.equal(await result.finishReason, 'stop')
      assert.deepEqual((await result.usage).outputTokens, whole.usage.outputTokens)
    },
  },
  {
    name: 'streamText: its parts come in order, none of them an error',
    async run(target) {
      const result = streamText({ model: modelOf(target), prompt: ORDER, maxOutputTokens: 8 })
      const types = (await Array.fromAsync(result.fullStream)).map(({ type }) => type)
      assert.deepEqual([types[0], types.at(-1)], ['start', 'finish'])
      assert.ok(types.indexOf('text-start') < types.indexOf('text-delta'))
      assert.ok(types.lastIndexOf('text-delta') < types.indexOf('text-end'))
      assert.ok(!types.includes('error'))
    },
  },
  {
    name: 'settings arrive: maxOutputTokens, stopSequences, temperature, topP, seed',
    async run(target) {
      const options = { model: modelOf(target), prompt: STORY, maxOutputTokens: 9 }
      const cut = await generateText(options)
      assert.deepEqual([cut.finishReason, cut.usage.outputTokens], ['length', 9])
      const stopped = await generateText({
        model: modelOf(target),
        prompt: ORDER,
        stopSequences: ['"city"'],
      })
      assert.equal(stopped.text, '{"customer":"Ada",')
      const sampled = { ...options, temperature: 1, topP: 0.95, seed: 7 }
      assert.equal((await generateText(sampled)).text, (await generateText(sampled)).text)
    },
  },
  {
    name: 'our own fields pass as provider options',
    async run(target) {
      const ask = (fields: Record<string, number | string>) =>
        generateText({
          model: modelOf(target),
          prompt: ORDER,
          maxOutputTokens: 24,
          providerOptions: { setblock: fields },
        })
      const forwardsOf = ({ usage }: Awaited<ReturnType<typeof ask>>) =>
        (usage.raw as { forward_passes: number }).forward_passes
      const [plain, bold] = [await ask({ mode: 'ntp' }), await ask({ gamma: 4 })]
      assert.ok(forwardsOf(bold) < forwardsOf(plain))
    },
  },
  {
    name: 'a system message and earlier turns are understood',
    async run(target) {
      const { usage } = await generateText({
        model: modelOf(target),
        instructions: 'Be brief.',
        messages: [
          { role: 'user', content: 'Hello' },
          { role: 'assistant', content: 'Hello!' },
          { role: 'user', content: [{ type: 'text', text: 'Tell me a story.' }] },
        ],
        maxOutputTokens: 4,
      })
      assert.equal(usage.outputTokens, 4)
    },
  },
  {
    name: 'the completion model continues a text',
    async run(target) {
      const model = connect(target).completionModel(target.model)
      const { text, usage } = await generateText({
        model,
        prompt: 'Once upon a time',
        maxOutputTokens: 8,
      })
      assert.ok(text.length > 0)
      assert.equal(usage.outputTokens, 8)
    },
  },
]

const structured: ConformanceCase[] = [
  {
    name: 'Output.object with a zod schema: whole, and partial objects of a stream',
    async run(target) {
      // Not what the model was trained to answer with: by itself it writes other members.
      const schema = z.strictObject({ city: z.string(), day: z.enum(['Monday', 'Sunday']) })
      const options = { model: modelOf(target), prompt: ORDER, output: Output.object({ schema }) }
      const { output } = await generateText(options)
      assert.deepEqual(Object.keys(schema.parse(output)), ['city', 'day'])
      const partials = await Array.fromAsync(streamText(options).partialOutputStream)
      assert.deepEqual(partials.at(-1), output)
    },
  },
]

const refusals: ConformanceCase[] = [
  {
    name: 'a refusal is an APICallError with our message, and is not retried',
    async run(target) {
      let calls = 0
      const provider = connect(target, (url, init) => {
        calls += 1
        return fetch(url, init)
      })
      const model = provider.chatModel(target.model)
      await assert.rejects(generateText({ model, prompt: 'hi', temperature: 9 }), (error) => {
        assert.ok(APICallError.isInstance(error))
        assert.equal(error.statusCode, 400)
        assert.match(error.message, /^temperature: /)
        assert.equal(error.isRetryable, false)
        return true
      })
      assert.equal(calls, 1)
    },
  },
  {
    name: 'tools are refused by name',
    async run(target) {
      const model = modelOf(target)
      const tools = {
        weather: tool({
          description: 'The weather of a city',
          inputSchema: jsonSchema<{ city: string }>({ type: 'object' }),
          execute: () => 'sunny',
        }),
      }
      await assert.rejects(generateText({ model, prompt: 'hi', tools }), /^\w*Error.*: tools: /s)
    },
  },
  {
    name: 'aborting a stream frees the worker',
    async run(target) {
      const abort = new AbortController()
      const result = streamText({
        model: modelOf(target),
        prompt: STORY,
        temperature: 1,
        maxOutputTokens: 400,
        abortSignal: abort.signal,
      })
      const types: string[] = []
      for await (const part of result.fullStream) {
        types.push(part.type)
        if (part.type === 'text-delta') abort.abort()
      }
      assert.equal(types.at(-1), 'abort')
      await idle(target)
    },
  },
]

export const aiSdkSuite: ConformanceSuite = {
  client: 'ai with @ai-sdk/openai-compatible',
  packages: ['ai', '@ai-sdk/openai-compatible'],
  cases: [...cases, ...structured, ...refusals],
  failures: aiSdkFailures,
}
