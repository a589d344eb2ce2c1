import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ProtobufMessage } from './protobuf.ts'

const hex = (message: ProtobufMessage) => Buffer.from(message.toBytes()).toString('hex')

test('writes the encodings of the protobuf guide', () => {
  assert.equal(hex(new ProtobufMessage().integer(1, 150)), '089601')
  assert.equal(hex(new ProtobufMessage().string(2, 'testing')), '120774657374696e67')
  const inner = new ProtobufMessage().integer(1, 150)
  assert.equal(hex(new ProtobufMessage().message(3, inner)), '1a03089601')
})

test('writes zero, negatives, 64-bit values, floats and field numbers over 15', () => {
  assert.equal(hex(new ProtobufMessage().integer(1, 0)), '0800')
  assert.equal(hex(new ProtobufMessage().integer(1, -1)), '08ffffffffffffffffff01')
  assert.equal(hex(new ProtobufMessage().integer(1, 2n ** 63n)), '0880808080808080808001')
  assert.equal(hex(new ProtobufMessage().float(2, 1.5)), '150000c03f')
  assert.equal(hex(new ProtobufMessage().integer(20, 7)), 'a00107')
  assert.equal(hex(new ProtobufMessage().string(1, 'é')), '0a02c3a9')
})

test('byteLength counts what toBytes gives, nested messages and long payloads included', () => {
  const inner = new ProtobufMessage().bytes(9, new Uint8Array(300)).string(8, 'weights')
  const outer = new ProtobufMessage().message(5, inner).message(5, new ProtobufMessage())
  assert.equal(outer.byteLength, outer.toBytes().length)
  assert.equal(outer.byteLength, 1 + 2 + inner.byteLength + 2)
})
