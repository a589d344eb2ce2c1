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
    modelFolders: [path.join(repository, 'models', 'setblock-nano')],
    device: undefined,
    precision: undefined,
    stateFolder: path.join(repository, '.setblock'),
  })
})

test('the environment overrides the defaults, and the command line the environment', () => {
  const env = { SETBLOCK_EDGE_PORT: '1', SETBLOCK_WORKER_PORT: '2', SETBLOCK_MODEL: '/m' }
  const args = ['--port', '3', '--worker-port=4', '--model', '/n', '--edge', 'node']
  assert.partialDeepStrictEqual(parse([], env), { port: 1, workerPort: 2, modelFolders: ['/m'] })
  assert.partialDeepStrictEqual(parse(args, env), {
    port: 3,
    workerPort: 4,
    modelFolders: ['/n'],
    edge: 'node',
  })
})

test('several models: the option again and again, or a list in the variable', () => {
  const modelFolders = ['/a', '/b']
  assert.partialDeepStrictEqual(parse(['--model', '/a', '--model', '/b']), { modelFolders })
  assert.partialDeepStrictEqual(parse([], { SETBLOCK_MODEL: '/a, /b' }), { modelFolders })
})

test('device and precision are the worker’s to choose unless one is given', () => {
  const args = ['--device', 'webgpu', '--precision=q4f16']
  const chosen = { device: 'webgpu', precision: 'q4f16' }
  assert.partialDeepStrictEqual(parse(args), chosen)
  const env = { SETBLOCK_DEVICE: 'webgpu', SETBLOCK_PRECISION: 'q4f16' }
  assert.partialDeepStrictEqual(parse([], env), chosen)
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
  [['--device', 'toaster'], /^--device must be one of auto, cpu, webgpu, cuda, not toaster$/],
  [['--precision', 'int3'], /^--precision must be one of .*, not int3$/],
  [['--model', '/a,b'], /^--model: a path may hold no comma, as \/a,b does$/],
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
