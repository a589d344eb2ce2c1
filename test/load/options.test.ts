import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions } from './options.ts'

const read = (...args: string[]) => {
  const options = readOptions(args, { SETBLOCK_KEY: 'sb-1' })
  assert.ok(options !== 'help')
  return options
}

test('rates are absolute, or multiples of a knee that is looked for', () => {
  const { rates, multiples } = read('--find-knee', '--rate', '1x,2x', '--rate', '30')
  assert.deepEqual([rates, multiples], [[30], [1, 2]])
  assert.throws(() => read('--rate', '2x'), /--rate: a multiple needs --find-knee/)
})

test('an edge that runs is asked with its own key, a stack of one’s own needs none', () => {
  assert.deepEqual(
    [read('--url', 'http://edge/').url, read('--url', 'http://edge/').key],
    ['http://edge', 'sb-1'],
  )
  assert.throws(() => readOptions(['--url', 'http://edge'], {}), /--key/)
  assert.equal(read().url, undefined)
})

test('a number that is none is refused by the name of its option', () => {
  for (const [option, value] of [
    ['--rate', 'fast'],
    ['--seconds', '0'],
    ['--workers', '-1'],
    ['--ttft-ms', 'NaN'],
  ] as const) {
    assert.throws(() => read(option, value), new RegExp(option))
  }
})
