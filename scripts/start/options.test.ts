import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { parseOptions } from './options.ts'

const repository = path.resolve('/repository')
const parse = (args: string[], env: Record<string, string> = {}) =>
  parseOptions(args, { env, repository })

test('without arguments: wrangler, the usual ports, the bundled model', () => {
  assert.deepEqual(parse([]), {
    edge: 'wrangler',
    host: '127.0.0.1',
    port: 8787,
    workerPort: 8788,
    modelFolder: path.join(repository, 'models', 'setblock-nano'),
    stateFolder: path.join(repository, '.setblock'),
  })
})

test('the environment overrides the defaults, and the command line the environment', () => {
  const env = { SETBLOCK_EDGE_PORT: '1', SETBLOCK_WORKER_PORT: '2', SETBLOCK_MODEL: '/m' }
  const args = ['--port', '3', '--worker-port=4', '--model', '/n', '--edge', 'node']
  assert.partialDeepStrictEqual(parse([], env), { port: 1, workerPort: 2, modelFolder: '/m' })
  assert.partialDeepStrictEqual(parse(args, env), {
    port: 3,
    workerPort: 4,
    modelFolder: '/n',
    edge: 'node',
  })
})

test('both ports may be left to the system', () => {
  assert.partialDeepStrictEqual(parse(['--port', '0', '--worker-port', '0']), { port: 0 })
})

test('help is help, whatever else is said', () => {
  assert.equal(parse(['--help', '--port', 'x']), 'help')
})

const faults: [args: string[], message: RegExp][] = [
  [['--port', '65536'], /^--port must be a port from 0 to 65535, not 65536$/],
  [['--port', '80a'], /^--port must be/],
  [['--worker-port', '-1'], /--worker-port/],
  [['--port', '8788'], /--port and --worker-port are both 8788/],
  [['--edge', 'deno'], /--edge must be wrangler or node, not deno/],
  [['--colour'], /--colour/],
  [['stray'], /stray/],
]
for (const [args, message] of faults) {
  test(`${args.join(' ')} is refused in one line`, () => {
    assert.throws(
      () => parse(args),
      (error: Error) => {
        assert.equal(error.name, 'StartError')
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /\n/)
        return true
      },
    )
  })
}
