import assert from 'node:assert/strict'
import OpenAI, { APIError, InternalServerError } from 'openai'
import { userSays } from './case.ts'
import type { ScriptedCase, ScriptedTarget } from './case.ts'
import { breaksOff, busyOnce, draining, failsLater, silent, TEXT } from './worker-scripts.ts'

const connect = ({ edgeUrl, key }: ScriptedTarget, options: object = {}) =>
  new OpenAI({ apiKey: key, baseURL: `${edgeUrl}/v1`, ...options })

const bodyOf = ({ model }: ScriptedTarget) => ({ model, messages: userSays('hi') })

/** Reads a stream to its failure; gives the text before it and the failure. */
async function readToFailure(target: ScriptedTarget): Promise<{ text: string; error: unknown }> {
  const client = connect(target, { maxRetries: 0 })
  const stream = await client.chat.completions.create({ ...bodyOf(target), stream: true })
  let text = ''
  try {
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
  } catch (error) {
    return { text, error }
  }
  throw new Error('the stream ended as if nothing had happened')
}

export const openAiFailures: readonly ScriptedCase[] = [
  {
    name: 'a full queue is retried by itself, and then served',
    async run(target) {
      const worker = busyOnce()
      target.play(worker)
      const answer = await connect(target).chat.completions.create(bodyOf(target))
      assert.equal(answer.choices[0]?.message.content, TEXT)
      assert.equal(worker.offers(), 2)
    },
  },
  {
    name: 'a worker that goes down is retried as often as configured',
    async run(target) {
      const worker = draining()
      target.play(worker)
      const answer = connect(target, { maxRetries: 1 }).chat.completions.create(bodyOf(target))
      await assert.rejects(answer, (error: unknown) => {
        assert.ok(error instanceof InternalServerError)
        assert.deepEqual([error.status, error.code], [503, 'worker_draining'])
        return true
      })
      assert.equal(worker.offers(), 2)
    },
  },
  {
    name: 'a failure in a stream is thrown, after the text that came before it',
    async run(target) {
      target.play(failsLater)
      const { text, error } = await readToFailure(target)
      assert.equal(text, TEXT)
      assert.ok(error instanceof APIError)
      assert.equal(error.code, 'deadline_exceeded')
    },
  },
  {
    name: 'a worker that hangs up mid-stream is a failure, not an end',
    async run(target) {
      target.play(breaksOff)
      const { text, error } = await readToFailure(target)
      assert.equal(text, TEXT)
      assert.ok(error instanceof APIError)
      assert.equal(error.code, 'worker_unavailable')
    },
  },
  {
    name: 'a stream begins before the worker does, and can be left',
    async run(target) {
      target.play(silent())
      const body = { ...bodyOf(target), stream: true } as const
      const stream = await connect(target).chat.completions.create(body)
      for await (const chunk of stream) {
        assert.equal(chunk.choices[0]?.delta.role, 'assistant')
        break
      }
      assert.ok(stream.controller.signal.aborted)
    },
  },
]
