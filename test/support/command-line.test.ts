import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { describeOptions } from './command-line.ts'

const program = path.join(import.meta.dirname, '../eval/main.ts')
const run = (...args: string[]) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, ...args], {
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

test('options are told with their defaults', () => {
  assert.equal(describeOptions({}), 'It has no options.')
  assert.equal(
    describeOptions({ quick: { type: 'boolean' }, turns: { type: 'string', default: '9' } }),
    'Options: --quick, --turns VALUE (9)',
  )
})
