import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

test('a place in a trace survives the way through the header', () => {
  for (const flags of ['00', '01']) {
    const header = `00-${TRACE}-${SPAN}-${flags}`
    assert.equal(formatTraceparent(parseTraceparent(header)!), header)
  }
})

test('flags of later versions are dropped, and what may follow is ignored', () => {
  const place = { traceId: TRACE, spanId: SPAN, traceFlags: 1 }
  assert.deepEqual(parseTraceparent(`01-${TRACE}-${SPAN}-ff-more`), place)
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${SPAN}-03`), place)
})

test('a header that breaks the specification names no place', () => {
  const wrong = [
    undefined,
    '',
    `00-${TRACE}-${SPAN}`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
  ]
  for (const header of wrong) assert.equal(parseTraceparent(header), undefined, header)
})
