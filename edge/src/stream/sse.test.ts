import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sseFrame } from './sse.ts'

test('a frame is one line of JSON whatever the payload holds', () => {
  const text = 'a\nb\r\nc\rdata: x\n\n: y\u2028z\u2029\u0085'
  const frame = sseFrame({ text })
  assert.match(frame, /^data: [^\n\r\u0085\u2028\u2029]*\n\n$/)
  assert.deepEqual(JSON.parse(frame.slice('data: '.length)), { text })
})
