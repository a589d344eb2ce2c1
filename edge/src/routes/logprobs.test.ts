import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { logprobsOf, write } from '../test-support/scripts.ts'
import { loadTiny, TINY } from '../test-support/tiny-model.ts'

const { tokenizer } = await loadTiny()
const PATH = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'hi' }]
/** A party popper is four bytes, which this vocabulary spells one by one. */
const TEXT = 'The boat 🎉 crossed'

interface Entry {
  token: string
  logprob: number
  bytes: number[] | null
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[]
}
interface Choice {
  message: { content: string }
  delta: { content?: string }
  logprobs: { content: Entry[]; refusal: null } | null
}

const bytesOf = (entries: readonly Entry[]) =>
  new TextDecoder().decode(new Uint8Array(entries.flatMap(({ bytes }) => bytes ?? [])))

test('every token of the text has its log probability, spelled in bytes', async (t) => {
  const { post, worker } = await startHarness(t, { script: write(TEXT) })
  const body = { model: 'tiny', messages, logprobs: true, top_logprobs: 2 }
  const { choices } = (await (await post(PATH, body)).json()) as { choices: Choice[] }
  const content = choices[0]!.logprobs!.content
  const ids = tokenizer.encodeText(TEXT)
  assert.equal(worker.jobs[0]?.logprobs, 2)
  assert.deepEqual(
    content.map(({ logprob }) => logprob),
    ids.map((id) => logprobsOf(id, 2).logprob),
  )
  assert.equal(bytesOf(content), TEXT)
  assert.ok(content.every((entry) => entry.top_logprobs.length === 2))
  assert.deepEqual(content[0]?.top_logprobs[0], {
    token: content[0]?.token,
    logprob: content[0]?.logprob,
    bytes: content[0]?.bytes,
  })
  const partial = content.filter(({ token }) => token.startsWith('\\x'))
  assert.deepEqual(
    partial.flatMap(({ bytes }) => bytes),
    [...new TextEncoder().encode('🎉')],
  )
})

test('a stream gives each token with the text it completes, none twice', async (t) => {
  const { post } = await startHarness(t, { script: write(TEXT) })
  const body = { model: 'tiny', messages, logprobs: true, stream: true, stop: ['never'] }
  const payloads = parseSse(await (await post(PATH, body)).text()).slice(0, -1)
  let text = ''
  const entries: Entry[] = []
  for (const { choices } of payloads as { choices: Choice[] }[]) {
    text += choices[0]?.delta.content ?? ''
    entries.push(...(choices[0]?.logprobs?.content ?? []))
    assert.ok(text.startsWith(bytesOf(entries).replace(/\uFFFD+$/, '')))
  }
  assert.equal(bytesOf(entries), TEXT)
  assert.ok(entries.every((entry) => entry.top_logprobs.length === 0))
})

test('tokens of a stop string are not among those of the text', async (t) => {
  const { post } = await startHarness(t, { script: write('one STOP two') })
  const body = { model: 'tiny', messages, logprobs: true, stop: 'STOP' }
  const { choices } = (await (await post(PATH, body)).json()) as { choices: Choice[] }
  assert.equal(choices[0]?.message.content, 'one ')
  const spelled = bytesOf(choices[0].logprobs!.content)
  assert.ok(spelled.startsWith('one '), spelled)
  assert.ok(!spelled.includes('STOP'), spelled)
})

test('a control token among the likely ones has a name and no bytes', async (t) => {
  const { post } = await startHarness(t, {
    script: (job, answer) => {
      const send = answer.send
      write('a')(job, {
        ...answer,
        send: (...events) =>
          send(
            ...events.map((event) =>
              event.type === 'reveal'
                ? {
                    ...event,
                    logprobs: event.tokenIds.map(() => ({
                      logprob: -1,
                      top: [{ tokenId: TINY.end, logprob: -0.5 }],
                    })),
                  }
                : event,
            ),
          ),
      })
    },
  })
  const body = { model: 'tiny', messages, logprobs: true, top_logprobs: 1 }
  const { choices } = (await (await post(PATH, body)).json()) as { choices: Choice[] }
  assert.deepEqual(choices[0]?.logprobs?.content[0]?.top_logprobs, [
    { token: '<|end|>', logprob: -0.5, bytes: null },
  ])
})

test('without logprobs none are asked for or shown', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('a') })
  const response = await post(PATH, { model: 'tiny', messages, logprobs: false, top_logprobs: 0 })
  const { choices } = (await response.json()) as { choices: Choice[] }
  assert.equal(choices[0]?.logprobs, null)
  assert.equal(worker.jobs[0]?.logprobs, undefined)
})

test('a worker that leaves log probabilities out breaks the protocol', async (t) => {
  const { post } = await startHarness(t, {
    script: (job, answer) => write('a')({ ...job, logprobs: undefined }, answer),
  })
  const response = await post(PATH, { model: 'tiny', messages, logprobs: true })
  assert.equal(response.status, 500)
})
