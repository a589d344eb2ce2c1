import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseChatOptions } from './chat-options.ts'
import { CliError } from './command.ts'

const env = { SETBLOCK_KEY: 'k' }

test('without options the server chooses', () => {
  assert.deepEqual(parseChatOptions([], env), {
    url: 'http://127.0.0.1:8787',
    key: 'k',
    model: undefined,
    system: undefined,
    settings: {},
    replaySpeed: undefined,
    message: undefined,
  })
})

test('options come before the environment, and words are the message', () => {
  const args = ['--url', 'http://h', '--key', 'other', '--gamma', 'low', '--max-tokens', '5']
  const options = parseChatOptions([...args, '--replay-speed', '2.5', 'tell', 'me'], {
    ...env,
    SETBLOCK_URL: 'http://elsewhere',
  })
  assert.equal(options.url, 'http://h')
  assert.equal(options.key, 'other')
  assert.deepEqual(options.settings, { gamma: 'low', max_tokens: 5 })
  assert.equal(options.replaySpeed, 2.5)
  assert.equal(options.message, 'tell me')
  assert.deepEqual(parseChatOptions(['--gamma', '0.5'], env).settings, { gamma: 0.5 })
})

test('what is wrong is named', () => {
  const cases: [string[], RegExp][] = [
    [['--gamma', 'much'], /--gamma must be a number, not much/],
    [['--seed', ''], /--seed/],
    [['--replay-speed', '0'], /--replay-speed/],
    [['--nope'], /--nope/],
  ]
  for (const [args, message] of cases) {
    assert.throws(
      () => parseChatOptions(args, env),
      (error: unknown) => {
        assert.ok(error instanceof CliError)
        assert.match(error.message, message)
        return true
      },
    )
  }
  assert.throws(() => parseChatOptions([], {}), /SETBLOCK_KEY/)
})
