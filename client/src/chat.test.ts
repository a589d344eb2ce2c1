import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSetblock } from './index.ts'
import { ANSWER, failing, frames, scriptedServer, streaming } from './testing/scripted-server.ts'

const server = scriptedServer()
const newChat = () =>
  createSetblock({ baseUrl: server.url, apiKey: 'k', retriesMax: 0 }).chat({
    model: 'm',
    gamma: 0.1,
    messages: [{ role: 'system', content: 'be brief' }],
  })
const system = { role: 'system', content: 'be brief' }
const count = { role: 'user', content: 'count' }

test('every question carries what was said before', async () => {
  server.play(streaming(frames(ANSWER)))
  const chat = newChat()
  await chat.send('count').answer
  chat.append({ role: 'user', content: 'by the way' })
  await chat.send('again', { gamma: 0.6 }).answer
  const answer = { role: 'assistant', content: 'one two three' }
  const [first, second] = server.received.map(
    ({ body }) => body as { messages: unknown; gamma: number },
  )
  assert.deepEqual(first?.messages, [system, count])
  assert.equal(first.gamma, 0.1)
  assert.deepEqual(second?.messages, [
    system,
    count,
    answer,
    { role: 'user', content: 'by the way' },
    { role: 'user', content: 'again' },
  ])
  assert.equal(second.gamma, 0.6)
  assert.equal(chat.messages.length, 6)
})

test('an aborted answer counts with what was there, a failed one not at all', async () => {
  const chat = newChat()
  server.play(streaming(frames(ANSWER.slice(0, 3)), 'stay'))
  const stream = chat.send('count')
  for await (const _ of stream.text()) stream.abort()
  await stream.answer.catch(() => undefined)
  assert.deepEqual(chat.messages, [system, count, { role: 'assistant', content: 'one' }])
  server.play(failing(400, 'invalid_request'))
  await assert.rejects(chat.send('more').answer)
  assert.equal(chat.messages.length, 3)
})

test('one answer at a time', async () => {
  server.play(streaming(frames(ANSWER)))
  const chat = newChat()
  const stream = chat.send('count')
  assert.equal(chat.answering, true)
  assert.throws(() => chat.send('too soon'), /under way/)
  await stream.answer
  assert.equal(chat.answering, false)
})
