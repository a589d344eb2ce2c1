/** Answers that can be read again, where they live in Durable Objects: in the Workers runtime. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSetblock } from '@setblock/client'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

const STORY = {
  model: MODEL,
  messages: [{ role: 'user', content: 'Tell me a story about a cat, boat.' }],
  stream: true,
  max_tokens: 300,
  temperature: 0.8,
}
const CHAT = '/v1/chat/completions'

const idsOf = (sse: string): string[] => [...sse.matchAll(/^id: (.*)$/gm)].map((match) => match[1]!)
const dataOf = (sse: string): string[] =>
  [...sse.matchAll(/^data: (.*)$/gm)].map((match) => match[1]!)

/** Reads until there are `count` whole events, and leaves. */
async function readSome(response: Response, count: number): Promise<string> {
  const reader = response.body!.getReader()
  const utf8 = new TextDecoder()
  let text = ''
  while (idsOf(text).length <= count) {
    const { value, done } = await reader.read()
    if (done) break
    text += utf8.decode(value, { stream: true })
  }
  await reader.cancel()
  return text.slice(0, text.lastIndexOf('\n\n') + 2)
}

describe('answers that can be read again, on Workers', { timeout: 120_000 }, () => {
  const under = stackUnderTest('wrangler')
  const streamId = (response: Response) => response.headers.get('x-setblock-stream-id') ?? ''
  const resume = (id: string, headers: Record<string, string> = {}) =>
    fetch(`${under.stack.edgeUrl}/v1/streams/${id}`, {
      headers: { authorization: `Bearer ${under.stack.demoKey}`, ...headers },
    })

  test('requests with one idempotency key are generated once, also at the same moment', async () => {
    const headers = { 'idempotency-key': 'story-1' }
    const answers = await Promise.all([1, 2, 3].map(() => under.post(CHAT, STORY, headers)))
    answers.push(await under.post(CHAT, STORY, headers))
    const texts = await Promise.all(answers.map(async (answer) => answer.text()))
    for (const answer of answers) assert.equal(answer.status, 200)
    assert.ok(dataOf(texts[0] ?? '').length > 10)
    assert.equal(dataOf(texts[0] ?? '').at(-1), '[DONE]')
    for (const text of texts.slice(1)) assert.deepEqual(dataOf(text), dataOf(texts[0] ?? ''))
    const other = await under.post(CHAT, { ...STORY, seed: 1 }, headers)
    assert.equal(other.status, 422)
  })

  test('a whole answer is given again', async () => {
    const headers = { 'idempotency-key': 'whole-1' }
    const body = { ...STORY, stream: false, max_tokens: 20 }
    const first = await (await under.post(CHAT, body, headers)).json()
    const second = await under.post(CHAT, body, headers)
    assert.equal(second.headers.get('idempotent-replayed'), 'true')
    assert.deepEqual(await second.json(), first)
  })

  test('who leaves a resumable stream can come back for the rest of it', async () => {
    const response = await under.post(CHAT, STORY, { 'x-setblock-resumable': 'true' })
    const before = await readSome(response, 5)
    const rest = await resume(streamId(response), { 'last-event-id': idsOf(before).at(-1)! })
    const events = [...dataOf(before), ...dataOf(await rest.text())]
    const whole = await (await resume(streamId(response))).text()
    assert.deepEqual(events, dataOf(whole))
    assert.equal(events.at(-1), '[DONE]')
    const numbers = idsOf(whole).map((id) => Number(id.split('-')[1]))
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    )
  })

  test('another tenant finds nothing there, and nobody does once it is deleted', async () => {
    const response = await under.post(CHAT, STORY, { 'x-setblock-resumable': 'true' })
    await response.text()
    const created = await fetch(`${under.stack.edgeUrl}/v1/admin/keys`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${under.stack.adminKey}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ tenant: 'stranger', name: 'x' }),
    })
    const { key } = (await created.json()) as { key: string }
    const stolen = await resume(streamId(response), { authorization: `Bearer ${key}` })
    assert.equal(stolen.status, 404)
    const own = { method: 'DELETE', headers: { authorization: `Bearer ${under.stack.demoKey}` } }
    const dropped = await fetch(`${under.stack.edgeUrl}/v1/streams/${streamId(response)}`, own)
    assert.equal(dropped.status, 204)
    assert.equal((await resume(streamId(response))).status, 404)
  })

  test('the client package takes a stream that was cut up again, and ends one it leaves', async () => {
    const ids: string[] = []
    let cuts = 2
    const cutting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      ids.push(streamId(response))
      return response.body === null || cuts-- <= 0 ? response : cutAfter(response, 3)
    }
    const { edgeUrl: baseUrl, demoKey: apiKey } = under.stack
    const client = createSetblock({ baseUrl, apiKey, fetch: cutting, retryDelayMs: 10 })
    const request = { model: MODEL, prompt: 'Once upon a time', max_tokens: 200, seed: 3 }
    const { text } = await client.generate(request).answer
    // A fast answer comes in few pieces, and the second cut may come too late.
    assert.ok(ids.length >= 2, 'the stream was never cut')
    assert.equal(new Set(ids).size, 1)
    assert.equal(text, (await client.generate(request).answer).text)

    for await (const _ of client.generate(request)) break
    const left = ids.filter((id) => id !== '').at(-1)!
    while ((await resume(left)).status !== 404);
  })
})

/** The same response, whose connection breaks after some chunks. */
function cutAfter(response: Response, chunks: number): Response {
  let left = chunks
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.error(new TypeError('cut'))
    },
  })
  return new Response(response.body!.pipeThrough(cut), response)
}
