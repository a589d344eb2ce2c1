import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

interface NativeEvent {
  readonly type: string
  readonly delta?: string
  readonly tokens?: readonly {
    readonly position: number
    readonly text: string
    readonly entropy: number
    readonly logprob?: number
  }[]
  readonly usage?: { readonly effective_gamma: number | null; readonly drafts?: object }
}

/** Reads an SSE body as its JSON events; frames are separated by blank lines, comments start with a colon. */
async function readEvents(response: Response): Promise<NativeEvent[]> {
  const text = await response.text()
  return text
    .split('\n\n')
    .flatMap((frame) => /^data: (.*)$/m.exec(frame)?.[1] ?? [])
    .map((data) => JSON.parse(data) as NativeEvent)
}

describe('the native API', { timeout: 120_000 }, () => {
  const under = stackUnderTest('wrangler')
  const prompt = '[json] name: Ada; city: Rome; age: 31; paid: true'
  const messages = [{ role: 'user', content: prompt }]

  test('reveals come with positions, each once; the text is what they spell', async () => {
    for (const fields of [{ gamma: 0.35 }, { mode: 'verified' }, { mode: 'ntp' }]) {
      const response = await under.post('/v1/generate', {
        model: MODEL,
        messages,
        stream: true,
        reveals: true,
        logprobs: 0,
        ...fields,
      })
      assert.equal(response.status, 200)
      const events = await readEvents(response)
      assert.equal(events[0]?.type, 'start')
      assert.equal(events.filter(({ type }) => type === 'end' || type === 'error').length, 1)
      assert.equal(events.at(-1)?.type, 'end')
      const tokens = new Map<number, string>()
      for (const { position, text, ...token } of events.flatMap((event) => event.tokens ?? [])) {
        assert.ok(!tokens.has(position), `position ${position} twice`)
        assert.ok(token.entropy >= 0 && (token.logprob ?? 1) <= 0, JSON.stringify(token))
        tokens.set(position, text)
      }
      const spelled = [...tokens].sort(([a], [b]) => a - b).map(([, text]) => text)
      const text = events.map(({ delta }) => delta ?? '').join('')
      assert.ok(spelled.join('').startsWith(text))
      assert.equal((JSON.parse(text) as { city: string }).city, 'Rome')
    }
  })

  test('usage tells the bound in force, and what became of drafts', async () => {
    const usageOf = async (fields: object) => {
      const body = { model: MODEL, messages, stream: true, max_tokens: 24, ...fields }
      return (await readEvents(await under.post('/v1/generate', body))).at(-1)?.usage
    }
    assert.equal((await usageOf({ gamma: 'low' }))?.effective_gamma, 0.1)
    const hurried = await usageOf({ gamma: 0, latency_budget_ms: 1 })
    assert.ok((hurried?.effective_gamma ?? 0) > 0, JSON.stringify(hurried))
    const verified = await usageOf({ mode: 'verified' })
    assert.equal(verified?.effective_gamma, null)
    assert.ok(verified.drafts)
  })

  test('reveals are sent only when asked for', async () => {
    const response = await under.post('/v1/generate', {
      model: MODEL,
      prompt: 'Once',
      stream: true,
      max_tokens: 10,
    })
    const types = new Set((await readEvents(response)).map(({ type }) => type))
    assert.deepEqual(types, new Set(['start', 'text', 'end']))
  })
})
