import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { describeOptions } from '../../gpu-worker/bench/command-line.ts'

const repository = path.join(import.meta.dirname, '../..')
const packageText = readFileSync(path.join(repository, 'package.json'), 'utf8')
const run = (...args: string[]) => runProgram('test/eval/main.ts', ...args)
function runProgram(program: string, ...args: string[]) {
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, ...args], {
    cwd: repository,
    encoding: 'utf8',
  })
  return { status, stderr, stdout }
}

test('an unknown option ends a program with one line that lists the options', () => {
  const { status, stderr, stdout } = run('--nope')
  assert.deepEqual([status, stdout], [1, ''])
  assert.match(stderr, /^Unknown option '--nope'\. Options: --rows VALUE \(50\), .*\n$/)
})

test('help is that line', () => {
  const { status, stderr } = run('--help')
  assert.equal(status, 0)
  assert.match(stderr, /^Options: --rows VALUE \(50\), .*\n$/)
})

test('an argument that is missing is named', () => {
  const { status, stderr } = runProgram('gpu-worker/bench/rows.ts', '--rows', '1')
  assert.equal(status, 1)
  assert.match(stderr, /^It needs one model folder\. Argument: <model folder>\. Options: .*\n$/)
})

const BENCHES = readdirSync(path.join(repository, 'gpu-worker/bench'))
  .map((name) => `gpu-worker/bench/${name}`)
  .filter((file) => packageText.includes(file))

for (const file of BENCHES) {
  test(`${file} answers an unknown option with one line`, () => {
    const { status, stderr } = runProgram(file, '--nope')
    assert.equal(status, 1)
    assert.match(stderr, /^Unknown option '--nope'\. .*options.*\n$/i)
  })
}

test('options are told with their defaults', () => {
  assert.equal(describeOptions({}), 'It has no options.')
  assert.equal(
    describeOptions({ quick: { type: 'boolean' }, turns: { type: 'string', default: '9' } }),
    'Options: --quick, --turns VALUE (9)',
  )
})
