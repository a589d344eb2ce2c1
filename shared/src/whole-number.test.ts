import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as z from 'zod'
import { parseWith } from './parse.ts'
import { wholeNumber } from './whole-number.ts'

const schema = z.object({ PORT: wholeNumber({ min: 0, max: 65_535 }).default(8787) })
const read = (PORT?: unknown) => parseWith(schema, { PORT }).PORT

test('a whole number is read from text, and from a number as wrangler.toml has it', () => {
  assert.deepEqual([read('0'), read(' 65535\n'), read(9000), read()], [0, 65_535, 9000, 8787])
})

test('what is empty, no whole number or out of bounds is refused by one message', () => {
  for (const wrong of ['', ' ', '-1', '65536', '1.5', '0x10', 'many', '1e3', null, 1.5]) {
    assert.throws(() => read(wrong), { message: 'PORT: must be a whole number from 0 to 65535' })
  }
})
