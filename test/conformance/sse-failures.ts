import assert from 'node:assert/strict'
import { createParser } from 'eventsource-parser'
import { userSays } from './case.ts'
import type { ScriptedCase, ScriptedTarget } from './case.ts'
import { draining, failsLater, silent } from './worker-scripts.ts'

function post(target: ScriptedTarget, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${target.edgeUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: target.model, messages: userSays('hi'), ...body }),
    ...(signal === undefined ? {} : { signal }),
  })
}

export const sseFailures: readonly ScriptedCase[] = [
  {
    name: 'headers and the role before the worker’s first token, then keep-alive comments',
    async run(target) {
      target.play(silent())
      const abort = new AbortController()
      const response = await post(target, { stream: true }, abort.signal)
      assert.equal(response.status, 200)
      const seen: string[] = []
      const parser = createParser({
        onEvent: ({ data }) => seen.push(data),
        onComment: (comment) => seen.push(`:${comment.trim()}`),
      })
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        parser.feed(chunk)
        if (seen.includes(':keep-alive')) break
      }
      assert.match(seen[0]!, /"role":"assistant"/)
      assert.equal(seen.length, 2)
      abort.abort()
    },
  },
  {
    name: 'a failure after the headers is one event with our envelope, the last, without [DONE]',
    async run(target) {
      target.play(failsLater)
      const events: string[] = []
      const parser = createParser({ onEvent: ({ data }) => events.push(data) })
      parser.feed(await (await post(target, { stream: true })).text())
      assert.ok(!events.includes('[DONE]'))
      const failures = events.filter((data) => data.startsWith('{"error"'))
      assert.deepEqual(failures, [events.at(-1)])
      assert.deepEqual(JSON.parse(failures[0]!), {
        error: {
          message: 'the job took too long',
          type: 'server_error',
          param: null,
          code: 'deadline_exceeded',
        },
      })
    },
  },
  {
    name: 'a failure before the headers is a status with the retry headers, also for a stream',
    async run(target) {
      target.play(draining())
      const response = await post(target, { stream: true })
      assert.equal(response.status, 503)
      const header = (name: string) => response.headers.get(name)
      assert.deepEqual(
        [header('x-should-retry'), header('retry-after'), header('retry-after-ms')],
        ['true', '1', '1000'],
      )
      await response.body?.cancel()
    },
  },
]
