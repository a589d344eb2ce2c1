import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBuildOptions } from './build-options.ts'
import { CliError } from './command.ts'

test('a folder alone is built in place for the CPU', () => {
  assert.deepEqual(parseBuildOptions(['models/x']), {
    folder: 'models/x',
    out: 'models/x',
    targets: ['cpu-int8'],
    source: {},
  })
})

test('every option is read', () => {
  const line =
    'in --out out --target fp32 --target cpu-int8 --target fp32 --id mine --name Mine --context 1024 ' +
    '--block-length 4 --mask-token <x> --add-mask-token --stop-token a --stop-token 7 --license MIT'
  assert.deepEqual(parseBuildOptions(line.split(' ')), {
    folder: 'in',
    out: 'out',
    targets: ['fp32', 'cpu-int8'],
    source: {
      id: 'mine',
      name: 'Mine',
      contextLength: 1024,
      blockLength: 4,
      maskToken: '<x>',
      addMaskToken: true,
      stopTokens: ['a', '7'],
      license: 'MIT',
    },
  })
})

test('what is missing or wrong is named', () => {
  const cases: [string[], RegExp][] = [
    [[], /give one folder/],
    [['a', 'b'], /give one folder/],
    [['a', '--target', 'tpu'], /--target tpu: there is no such target \(there are cpu-int8, fp32/],
    [['a', '--context', '0'], /--context must be a positive whole number, not 0/],
    [['a', '--block-length', '2.5'], /--block-length must be a positive whole number/],
    [['a', '--what'], /--what/],
  ]
  for (const [args, about] of cases) {
    assert.throws(
      () => parseBuildOptions(args),
      (error) => error instanceof CliError && about.test(error.message),
    )
  }
})
