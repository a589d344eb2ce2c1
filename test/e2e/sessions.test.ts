import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

interface Session {
  readonly id: string
  readonly version: number
  readonly tokens: number
}
interface Chat {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
  readonly session: { readonly id: string; readonly version: number }
}

const FIRST = 'Tell me a story about a fox, a boat and a lamp that shines over the quiet water.'
const SECOND = 'And what did the fox say to the moon when the boat came home?'

describe('sessions over HTTP', { timeout: 120_000 }, () => {
  const under = stackUnderTest('wrangler')
  const user = (content: string) => ({ role: 'user', content })
  const chat = async (body: object, headers: Record<string, string> = {}): Promise<Chat> => {
    const whole = { model: MODEL, max_tokens: 60, ...body }
    const response = await under.post('/v1/chat/completions', whole, headers)
    assert.equal(response.status, 200, await response.clone().text())
    return (await response.json()) as Chat
  }
  const textOf = ({ choices }: Chat): string => choices[0]!.message.content
  const send = (method: string, route: string, headers: Record<string, string> = {}) =>
    fetch(`${under.stack.edgeUrl}${route}`, {
      method,
      headers: { authorization: `Bearer ${under.stack.demoKey}`, ...headers },
    })
  const codeOf = async (response: Response): Promise<string> =>
    ((await response.json()) as { error: { code: string } }).error.code

  test('a second turn, sent whole or appended, reuses the first and gives the same text', async () => {
    const first = await chat({ messages: [user(FIRST)], session: 'story' })
    assert.deepEqual(first.session, { id: 'story', version: 1 })
    const fork = await under.post('/v1/sessions/story/fork', { id: 'story-fork' })
    assert.equal(fork.status, 201)

    const answer = { role: 'assistant', content: textOf(first) }
    const whole = [user(FIRST), answer, user(SECOND)]
    const appended = await chat({ messages: [user(SECOND)], session: 'story', append: true })
    const sentWhole = await chat({ messages: whole, session: 'story-fork' })
    assert.equal(textOf(appended), textOf(sentWhole))
    assert.equal(appended.session.version, 2)
    const { usage } = appended
    assert.ok(usage.prompt_tokens > 100, `${usage.prompt_tokens} prompt tokens`)
    const cached = usage.prompt_tokens_details.cached_tokens
    assert.ok(cached >= 64 && cached % 32 === 0, `${cached} cached tokens`)

    const session = (await (await under.get('/v1/sessions/story')).json()) as Session
    assert.equal(session.version, 2)
    assert.equal(session.tokens, usage.prompt_tokens + usage.completion_tokens)
  })

  test('the stock client continues a session with one extra field, also in a stream', async () => {
    const client = under.openai()
    const turn = { model: MODEL, max_tokens: 20, session: 'stock', stream: true } as const
    const versions: number[] = []
    for (const append of [false, true]) {
      const body = { ...turn, append, messages: [{ role: 'user' as const, content: FIRST }] }
      const stream = await client.chat.completions.create(body)
      for await (const chunk of stream) {
        const { session } = chunk as { session?: { version: number } }
        if (session !== undefined) versions.push(session.version)
      }
    }
    assert.deepEqual(versions, [1, 2])
  })

  test('a stop string ends the turn where the text ended', async () => {
    const whole = await chat({ messages: [user(FIRST)] })
    const word = / (\w{4,}) /.exec(textOf(whole).slice(20))![1]!
    const stopped = await chat({ messages: [user(FIRST)], session: 'stopped', stop: word })
    const session = (await (await under.get('/v1/sessions/stopped')).json()) as Session
    const { prompt_tokens: prompt, completion_tokens: completion } = stopped.usage
    assert.equal(session.tokens, prompt + completion)
    assert.equal(session.version, stopped.session.version)
    assert.ok(completion < whole.usage.completion_tokens)
    const next = await chat({ messages: [user(SECOND)], session: 'stopped', append: true })
    assert.ok(next.usage.prompt_tokens > session.tokens)
  })

  test('created, listed, matched by version, deleted', async () => {
    const created = await under.post('/v1/sessions', { id: 'mine', ttl_seconds: 60 })
    assert.equal(created.status, 201)
    assert.equal(created.headers.get('etag'), '"1"')
    assert.equal(await codeOf(await under.post('/v1/sessions', { id: 'mine' })), 'session_exists')
    const named = (await (await under.post('/v1/sessions', {})).json()) as Session
    assert.match(named.id, /^[0-9a-f-]{36}$/)

    const body = { model: MODEL, max_tokens: 4, messages: [user('hi')] }
    const stale = { 'x-session-affinity': 'mine', 'if-match': '"7"' }
    const refused = await under.post('/v1/chat/completions', body, stale)
    assert.equal(refused.status, 409)
    assert.equal(refused.headers.get('x-should-retry'), 'false')
    assert.equal(await codeOf(refused), 'session_conflict')
    const fresh = await chat(body, { ...stale, 'if-match': '"1"' })
    assert.deepEqual(fresh.session, { id: 'mine', version: 2 })

    const page = await (await under.get('/v1/sessions?limit=1')).json()
    const { data, has_more: more } = page as { data: Session[]; has_more: boolean }
    assert.deepEqual([data.length, more], [1, true])
    assert.equal((await send('DELETE', '/v1/sessions/mine', { 'if-match': '"1"' })).status, 409)
    assert.equal((await send('DELETE', '/v1/sessions/mine', { 'if-match': '"2"' })).status, 200)
    assert.equal(await codeOf(await under.get('/v1/sessions/mine')), 'session_not_found')
    const gone = await under.post('/v1/chat/completions', {
      ...body,
      session: 'mine',
      append: true,
    })
    assert.equal(gone.status, 404)
  })
})
