import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCommandLine } from './command-line.ts'
import { readConfig } from './config.ts'

const secret = { SETBLOCK_JOB_SECRET: 'a secret of the test, long enough to sign' }

function read(args: string[], environment: Record<string, string> = {}) {
  const commandLine = readCommandLine(args)
  assert.notEqual(commandLine, 'help')
  return readConfig(
    { ...secret, ...environment },
    commandLine as Exclude<typeof commandLine, 'help'>,
  )
}

test('without anything said: the bundled model, the device found, its best precision', () => {
  const { modelFolders, device, precision } = read([])
  assert.equal(modelFolders.length, 1)
  assert.match(modelFolders[0] as string, /models.setblock-nano$/)
  assert.deepEqual([device, precision], ['auto', undefined])
})

test('several models: the option again and again, or a list in the variable', () => {
  assert.deepEqual(read(['--model', '/a', '--model=/b']).modelFolders, ['/a', '/b'])
  assert.deepEqual(read([], { SETBLOCK_MODEL: '/a, /b' }).modelFolders, ['/a', '/b'])
})

test('an option wins over its variable', () => {
  const environment = {
    SETBLOCK_MODEL: '/a,/b',
    SETBLOCK_DEVICE: 'cuda',
    SETBLOCK_PRECISION: 'fp16',
    SETBLOCK_WORKER_PORT: '1',
    SETBLOCK_THREADS: '1',
  }
  const args = '--model /c --device cpu --precision fp32 --port 2 --host ::1 --threads 3'.split(' ')
  assert.partialDeepStrictEqual(read(args, environment), {
    modelFolders: ['/c'],
    device: 'cpu',
    precision: 'fp32',
    port: 2,
    host: '::1',
    threads: 3,
  })
})

test('help is help, whatever else is said', () => {
  assert.equal(readCommandLine(['--help', '--device', 'toaster']), 'help')
})

const faults: [args: string[], environment: Record<string, string>, message: RegExp][] = [
  [['--device', 'toaster'], {}, /^--device: must be one of auto, cpu, webgpu, cuda$/],
  [[], { SETBLOCK_DEVICE: 'toaster' }, /^SETBLOCK_DEVICE: must be one of auto, cpu, webgpu, cuda$/],
  [['--precision', 'int3'], {}, /^--precision: must be one of int8, fp32, fp16, q4f16$/],
  [['--port', '65536'], {}, /^--port: /],
  [['--model', ''], {}, /^--model: names no folder$/],
  [['--colour'], {}, /--colour.* See --help$/],
  [['stray'], {}, /stray/],
  [[], { SETBLOCK_JOB_SECRET: 'short' }, /^SETBLOCK_JOB_SECRET: must have at least/],
]
for (const [args, environment, message] of faults) {
  test(`refuses ${args.join(' ') || Object.keys(environment).join()} in one line`, () => {
    assert.throws(() => read(args, environment), { message })
  })
}
