import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { Window } from 'happy-dom'
import { act, createElement, StrictMode, useEffect, useState, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { createSetblock, SetblockError } from '../index.ts'
import {
  ANSWER,
  END,
  failing,
  frames,
  scriptedServer,
  streaming,
} from '../testing/scripted-server.ts'
import { useSetBlock, type UseSetBlock } from './index.ts'

const window = new Window()
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true })

const server = scriptedServer()
let cleanUp: () => Promise<void> = () => Promise.resolve()
afterEach(() => cleanUp())

/** A component that shows a generation, in StrictMode; `seen` gets the state of every render. */
async function mount(): Promise<{ seen: UseSetBlock[]; latest(): UseSetBlock; text(): string }> {
  const client = createSetblock({ baseUrl: server.url, apiKey: 'k', retriesMax: 0 })
  const seen: UseSetBlock[] = []
  function Generation(): ReactNode {
    const state = useSetBlock(client, { model: 'm', gamma: 'low' })
    seen.push(state)
    const shown = state.tokens.map((token) => (token.revealed ? token.text : '_')).join('')
    return createElement('p', null, `${state.status}: ${shown}`)
  }
  const container = window.document.createElement('div')
  const root = createRoot(container as unknown as HTMLElement)
  cleanUp = () => act(async () => root.unmount())
  await act(async () => root.render(createElement(StrictMode, null, createElement(Generation))))
  return {
    seen,
    latest: () => seen.at(-1) as UseSetBlock,
    text: () => container.textContent,
  }
}

/** Lets React work until the state is as wanted. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
}

test('an answer fills up on the page, from idle to done', async () => {
  server.play(streaming(frames(ANSWER)))
  const page = await mount()
  assert.equal(page.text(), 'idle: ')
  await act(async () => void page.latest().send('count'))
  await until(() => page.latest().status === 'done')
  assert.equal(page.text(), 'done: one two three')
  const { text, usage, finishReason, tokens, error } = page.latest()
  assert.equal(text, 'one two three')
  assert.deepEqual(usage, END.usage)
  assert.equal(finishReason, 'stop')
  assert.deepEqual(
    tokens.map((token) => [token.position, token.revealed && token.step]),
    [
      [3, 0],
      [4, 1],
      [5, 0],
    ],
  )
  assert.equal(error, undefined)
  const { body } = server.received[0] as { body: { messages: unknown; gamma: unknown } }
  assert.deepEqual(body.messages, [{ role: 'user', content: 'count' }])
  assert.equal(body.gamma, 'low')
  assert.equal(server.received.length, 1, 'StrictMode must not send twice')
})

test('holes show, stop keeps what was received and ends the request', async () => {
  let closed = false
  server.play((response, received) => {
    response.on('close', () => (closed = true))
    streaming(frames(ANSWER.slice(0, 3)), 'stay')(response, received)
  })
  const page = await mount()
  await act(async () => void page.latest().send({ prompt: 'count', gamma: 0 }))
  await until(() => page.text() === 'streaming: one_ three')
  await act(async () => page.latest().stop())
  await until(() => page.latest().status === 'stopped' && closed)
  assert.equal(page.text(), 'stopped: one_ three')
  assert.equal(page.latest().text, 'one')
  const [{ body } = { body: undefined }] = server.received
  assert.equal((body as { gamma: number }).gamma, 0)
})

test('a new question replaces the answer under way', async () => {
  server.play(streaming(frames(ANSWER.slice(0, 3)), 'stay'), streaming(frames(ANSWER)))
  const page = await mount()
  await act(async () => void page.latest().send('first'))
  await until(() => page.latest().status === 'streaming')
  await act(async () => void page.latest().send('second'))
  assert.equal(page.text(), 'waiting: ')
  await until(() => page.latest().status === 'done')
  assert.equal(page.text(), 'done: one two three')
})

test('a failure is state, not an exception', async () => {
  server.play(failing(400, 'invalid_request', {}, 'gamma'))
  const page = await mount()
  await act(async () => void page.latest().send('count'))
  await until(() => page.latest().status === 'failed')
  const { error } = page.latest()
  assert.ok(error instanceof SetblockError)
  assert.equal(error.param, 'gamma')
})

test('a component that goes ends its request', async () => {
  const closed = new Promise<void>((resolve) => {
    server.play((response, received) => {
      response.on('close', resolve)
      streaming(frames(ANSWER.slice(0, 3)), 'stay')(response, received)
    })
  })
  const page = await mount()
  await act(async () => void page.latest().send('count'))
  await until(() => page.latest().status === 'streaming')
  await cleanUp()
  await closed
})

test('send and stop stay the same functions over all renders; no render mixes two moments', async () => {
  server.play(streaming(frames(ANSWER)))
  const page = await mount()
  await act(async () => void page.latest().send('count'))
  await until(() => page.latest().status === 'done')
  assert.equal(new Set(page.seen.map(({ stop }) => stop)).size <= 2, true) // StrictMode mounts twice
  assert.equal(new Set(page.seen.slice(2).map(({ send }) => send)).size, 1)
  for (const { status, text, usage } of page.seen) {
    assert.equal(status === 'done', usage !== undefined)
    if (status === 'done') assert.equal(text, 'one two three')
  }
})

test('a server renders the state before anything was sent', () => {
  function Page(): ReactNode {
    const client = useState(() => createSetblock({ baseUrl: server.url, apiKey: 'k' }))[0]
    const { status, send } = useSetBlock(client, { model: 'm' })
    useEffect(() => void send('never on a server'), [send])
    return createElement('i', null, status)
  }
  assert.equal(renderToString(createElement(Page)), '<i>idle</i>')
})
