import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { saveSecrets, statePaths } from '../start/state.ts'
import { parseChatOptions } from './chat-options.ts'
import { CliError } from './command.ts'

const env = { SETBLOCK_KEY: 'k' }

test('without options the server chooses', async () => {
  assert.deepEqual(await parseChatOptions([], env), {
    url: 'http://127.0.0.1:8787',
    key: 'k',
    model: undefined,
    system: undefined,
    settings: {},
    replaySpeed: undefined,
    message: undefined,
  })
})

test('options come before the environment, and words are the message', async () => {
  const args = ['--url', 'http://h', '--key', 'other', '--gamma', 'low', '--max-tokens', '5']
  const options = await parseChatOptions([...args, '--replay-speed', '2.5', 'tell', 'me'], {
    ...env,
    SETBLOCK_URL: 'http://elsewhere',
  })
  assert.equal(options.url, 'http://h')
  assert.equal(options.key, 'other')
  assert.deepEqual(options.settings, { gamma: 'low', max_tokens: 5 })
  assert.equal(options.replaySpeed, 2.5)
  assert.equal(options.message, 'tell me')
  const { settings } = await parseChatOptions(['--gamma', '0.5'], env)
  assert.deepEqual(settings, { gamma: 0.5 })
})

test('what is wrong is named', async () => {
  const cases: [string[], RegExp][] = [
    [['--gamma', 'much'], /--gamma must be a number or low, balanced, high, not much/],
    [['--seed', ''], /--seed/],
    [['--replay-speed', '0'], /--replay-speed/],
    [['--nope'], /--nope/],
  ]
  for (const [args, message] of cases) {
    await assert.rejects(parseChatOptions(args, env), (error: unknown) => {
      assert.ok(error instanceof CliError)
      assert.match(error.message, message)
      return true
    })
  }
  const nowhere = ['--state', path.join(tmpdir(), 'no-state-of-any-start')]
  await assert.rejects(parseChatOptions(nowhere, {}), /SETBLOCK_KEY/)
})

test('on this machine the demo key of the last start is taken, and sent to no other', async (t) => {
  const state = await mkdtemp(path.join(tmpdir(), 'setblock-chat-'))
  t.after(() => rm(state, { recursive: true }))
  await saveSecrets(statePaths(state).secrets, { jobSecret: 'j', adminKey: 'a', demoKey: 'demo' })
  const args = ['--state', state]
  assert.equal((await parseChatOptions(args, {})).key, 'demo')
  assert.equal((await parseChatOptions([...args, '--url', 'http://localhost:9'], {})).key, 'demo')
  assert.equal((await parseChatOptions(args, env)).key, 'k')
  const elsewhere = [...args, '--url', 'https://api.example.com']
  await assert.rejects(parseChatOptions(elsewhere, {}), /no key: give --key/)
})
