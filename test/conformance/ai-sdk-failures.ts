import assert from 'node:assert/strict'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, RetryError, streamText } from 'ai'
import type { ScriptedCase, ScriptedTarget } from './case.ts'
import { busyOnce, draining, failsLater, silent, TEXT } from './worker-scripts.ts'

const modelOf = ({ edgeUrl, key, model }: ScriptedTarget) =>
  createOpenAICompatible({ name: 'setblock', baseURL: `${edgeUrl}/v1`, apiKey: key }).chatModel(
    model,
  )

export const aiSdkFailures: readonly ScriptedCase[] = [
  {
    name: 'a full queue is retried by itself, and then served',
    async run(target) {
      const worker = busyOnce()
      target.play(worker)
      const { text } = await generateText({ model: modelOf(target), prompt: 'hi' })
      assert.equal(text, TEXT)
      assert.equal(worker.offers(), 2)
    },
  },
  {
    name: 'a worker that goes down is retried as often as configured',
    async run(target) {
      const worker = draining()
      target.play(worker)
      const answer = generateText({ model: modelOf(target), prompt: 'hi', maxRetries: 1 })
      await assert.rejects(answer, (error) => RetryError.isInstance(error))
      assert.equal(worker.offers(), 2)
    },
  },
  {
    name: 'a failure in a stream is an error part, after the text that came before it',
    async run(target) {
      target.play(failsLater)
      const result = streamText({
        model: modelOf(target),
        prompt: 'hi',
        onError: () => undefined,
      })
      let text = ''
      let failed = false
      for await (const part of result.fullStream) {
        if (part.type === 'text-delta') text += part.text
        if (part.type === 'error') failed = true
      }
      assert.deepEqual([text, failed], [TEXT, true])
    },
  },
  {
    name: 'aborting before the worker says anything ends the stream',
    async run(target) {
      const worker = silent()
      target.play(worker)
      const abort = new AbortController()
      const { signal: abortSignal } = abort
      const result = streamText({ model: modelOf(target), prompt: 'hi', abortSignal })
      void worker.begun.then(() => abort.abort())
      const types: string[] = []
      for await (const { type } of result.fullStream) {
        types.push(type)
      }
      assert.equal(types.at(-1), 'abort')
    },
  },
]
