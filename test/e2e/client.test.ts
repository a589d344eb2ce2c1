import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createSetblock, SetblockError, TokenBoard, type Setblock } from '@setblock/client'
import { repository } from '../../scripts/start/services.ts'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

const ORDER =
  '[order] Please send 3 hats, 12 pears, 7 lamps to Ada, Paris. Delivery: Monday. Urgent!'
const STORY = 'Tell me a story about a cat, boat.'

describe('the client package against the running stack', { timeout: 120_000 }, () => {
  const under = stackUnderTest('wrangler')
  const client = (options: { apiKey?: string } = {}): Setblock =>
    createSetblock({ baseUrl: under.stack.edgeUrl, apiKey: under.stack.demoKey, ...options })
  const messages = [{ role: 'user' as const, content: ORDER }]

  test('text, reveals, usage and answer agree, in every mode', async () => {
    for (const mode of ['ntp', 'verified', 'sbd'] as const) {
      const stream = client().generate({ model: MODEL, messages, mode })
      const board = new TokenBoard()
      let text = ''
      for await (const event of stream) {
        board.apply(event)
        if (event.type === 'text') text += event.delta
      }
      const { usage, ...answer } = await stream.answer
      assert.equal(answer.text, text)
      assert.equal(answer.finish_reason, 'stop')
      assert.equal((JSON.parse(text) as { city: string }).city, 'Paris')
      // A block may reveal tokens behind the one that ends the text.
      assert.ok(board.frontier >= usage.completion_tokens)
      const spelled = board.tokens.map((token) => (token.revealed ? token.text : '_')).join('')
      assert.ok(spelled.startsWith(text))
      const steps = new Set((await Array.fromAsync(stream.reveals())).map(({ step }) => step))
      assert.equal(steps.size, usage.forward_passes_details.decode)
    }
  })

  test('the events have the fields that their types name, and no required one is missing', async () => {
    const stream = client().generate({ model: MODEL, messages, gamma: 'low', max_tokens: 20 })
    const events = await Array.fromAsync(stream)
    const fields = (type: string) =>
      Object.keys(events.find((event) => event.type === type) ?? {}).toSorted()
    assert.deepEqual(fields('start'), [
      'cached_tokens',
      'created',
      'decoding',
      'id',
      'model',
      'prompt_tokens',
      'seed',
      'system_fingerprint',
      'type',
    ])
    assert.deepEqual(fields('reveal'), ['block', 'positions', 'step', 'tokens', 'type'])
    assert.deepEqual(fields('text'), ['delta', 'type'])
    assert.deepEqual(fields('end'), ['finish_reason', 'type', 'usage'])
    assert.deepEqual(events[0]?.type === 'start' && Object.keys(events[0].decoding).toSorted(), [
      'block_length',
      'gamma',
      'mode',
      'rule',
    ])
  })

  test('a conversation goes on', async () => {
    const chat = client().chat({ model: MODEL, max_tokens: 8 })
    await chat.send(STORY).answer
    const second = await chat.send('And then?').answer
    assert.equal(chat.messages.length, 4)
    assert.ok(second.usage.prompt_tokens > STORY.length / 4)
  })

  test('abort frees the worker', async () => {
    const story = [{ role: 'user' as const, content: STORY }]
    const request = { model: MODEL, messages: story, mode: 'ntp' as const, max_tokens: 400 }
    const stream = client().generate(request)
    for await (const _ of stream.text()) stream.abort()
    await assert.rejects(stream.answer, { code: 'aborted' })
    const activeJobs = async (): Promise<number> => {
      const answer = await fetch(`${under.stack.workerUrl}/readyz`)
      return ((await answer.json()) as { activeJobs: number }).activeJobs
    }
    while ((await activeJobs()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  })

  test('models are listed; errors name the field', async () => {
    assert.deepEqual(
      (await client().models()).map(({ id }) => id),
      [MODEL],
    )
    const refused = client().generate({ model: MODEL, messages, gamma: -1 })
    await assert.rejects(refused.answer, (error: unknown) => {
      assert.ok(error instanceof SetblockError)
      assert.equal(error.status, 400)
      assert.equal(error.param, 'gamma')
      assert.equal(error.retryable, false)
      return true
    })
    await assert.rejects(client({ apiKey: 'sb-nobody' }).models(), {
      code: 'invalid_api_key',
      status: 401,
    })
  })

  test('setblock chat answers one question where there is no terminal', async () => {
    const command = path.join(repository, 'scripts', 'cli', 'setblock.cjs')
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [
        command,
        'chat',
        '--url',
        under.stack.edgeUrl,
        ...args,
      ])
    const key = ['--key', under.stack.demoKey]
    const { stdout, stderr } = await run(...key, '--gamma', 'low', ORDER)
    assert.equal((JSON.parse(stdout) as { city: string }).city, 'Paris')
    assert.equal(stderr, '')
    await assert.rejects(run(...key, '--gamma', '9999', ORDER), {
      code: 1,
      stderr: /^setblock: gamma: /,
    })
    await assert.rejects(run('--key', 'sb-nobody', ORDER), { code: 1 })
  })

  test('setblock chat ends its answer when nobody reads its output any more', async () => {
    const command = path.join(repository, 'scripts', 'cli', 'setblock.cjs')
    const { edgeUrl: url, demoKey: key } = under.stack
    const dials = ['--mode', 'ntp', '--max-tokens', '400', '--replay-speed', '20']
    const args = [command, 'chat', '--url', url, '--key', key, ...dials, STORY]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.once('data', () => child.stdout.destroy())
    const [stderr, [code]] = await Promise.all([readAll(child.stderr), once(child, 'exit')])
    assert.equal(stderr, '')
    assert.equal(code, 130)
  })
})
