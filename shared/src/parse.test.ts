import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { parseWith } from './parse.ts'

const schema = z.strictObject({
  messages: z.array(z.strictObject({ content: z.string() })),
})

const paramOf = (value: unknown): unknown => {
  try {
    parseWith(schema, value)
  } catch (error) {
    return (error as { param?: string }).param
  }
  return 'accepted'
}

test('a value of the right shape comes back typed', () => {
  assert.deepEqual(parseWith(schema, { messages: [{ content: 'a' }] }), {
    messages: [{ content: 'a' }],
  })
})

test('the field at fault is named by its path', () => {
  assert.equal(paramOf({ messages: [{ content: 'a' }, { content: 3 }] }), 'messages[1].content')
  assert.equal(paramOf({}), 'messages')
})

test('an unknown field is itself at fault', () => {
  assert.equal(paramOf({ messages: [], extra: 1 }), 'extra')
})

test('a value that is no object has no field to name', () => {
  assert.equal(paramOf(7), undefined)
})

test('the message carries the path and the code is the one asked for', () => {
  assert.throws(() => parseWith(schema, { messages: 1 }, 'unsupported_parameter'), {
    name: 'ApiError',
    code: 'unsupported_parameter',
    message: /^messages: /,
  })
})
