import assert from 'node:assert/strict'
import path from 'node:path'
import { mock, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import * as fc from 'fast-check'
import type { GrammarPlace } from '../decoding/grammar-place.ts'
import { schemaArbitrary } from '../testing/random-schema.ts'
import { Grammars } from './grammars.ts'
import { JsonState } from './json-state.ts'
import { Vocabulary } from './vocabulary.ts'

const tokenizer = path.resolve(import.meta.dirname, '../../../models/setblock-nano/tokenizer.json')
const grammars = new Grammars(tokenizer)
const vocabulary = Vocabulary.load(tokenizer)
const VOCABULARY_SIZE = 4096

const open = (schema: unknown): GrammarPlace => grammars.open(JSON.stringify(schema))
const textOf = (ids: readonly number[]): string =>
  Buffer.concat(ids.map((id) => vocabulary.bytesOf(id) ?? new Uint8Array())).toString()
const encode = (text: string): number[] => vocabulary.encode(new TextEncoder().encode(text))

/** A text of random allowed tokens; after `wander` tokens it takes the shortest way to its end. */
function randomText(start: GrammarPlace, random: () => number, wander: number): number[] {
  const ids: number[] = []
  for (let place = start; !place.mustEnd;) {
    if (place.mayEnd && (ids.length >= wander || random() % 4 === 0)) break
    let id = place.forced
    for (let tries = 0; id === undefined && ids.length < wander && tries < 40; tries += 1) {
      const guess = random() % VOCABULARY_SIZE
      if (place.after(guess) !== undefined) id = guess
    }
    id ??= place.nearest()
    ids.push(id)
    place = place.after(id) ?? assert.fail('a token given out is refused')
    assert.ok(ids.length < wander + 400, 'the shortest way to the end is too long')
  }
  return ids
}

test('whatever tokens are taken, the text is JSON that the schema accepts', () => {
  const ajv = new Ajv2020({ strict: false, formats: fullFormats, multipleOfPrecision: 9 })
  fc.assert(
    fc.property(
      schemaArbitrary,
      fc.infiniteStream(fc.nat()),
      fc.nat(20),
      (schema, stream, wander) => {
        const text = textOf(randomText(open(schema), () => stream.next().value, wander))
        const value: unknown = JSON.parse(text)
        assert.ok(ajv.validate(schema, value), `${JSON.stringify(schema)}: ${text}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('the tokens a text would be written with are allowed, one by one', () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, n: { type: 'integer' } },
    required: ['city', 'n'],
  }
  let place: GrammarPlace | undefined = open(schema)
  for (const id of encode('{"city":"Paris, the \\"great\\" – 東京","n":-12}'))
    place = place?.after(id)
  assert.equal(place?.mustEnd, true)
})

test('where there is no choice the token is told, in the way the tokenizer would write it', () => {
  const schema = {
    type: 'object',
    properties: { customer: { const: 'Ada' }, urgent: { type: 'boolean' } },
    required: ['customer', 'urgent'],
  }
  const forced: number[] = []
  let place = open(schema)
  for (let { forced: id } = place; id !== undefined; id = place.forced) {
    forced.push(id)
    place = place.after(id) ?? assert.fail()
  }
  const whole = '{"customer":"Ada","urgent":'
  assert.deepEqual(forced, encode(whole))
})

test('a token that goes on into what is free is not cut short', () => {
  // Behind {"a":" any text may come: tokens that begin with the quote and go on are better than the quote alone.
  const place = encode('{"a":').reduce<GrammarPlace | undefined>(
    (at, id) => at?.after(id),
    open({ properties: { a: { type: 'string' } }, required: ['a'], type: 'object' }),
  )
  const quote = vocabulary.tokenOfByte(0x22)
  const longer = [...vocabulary.longerThan(Uint8Array.of(0x22))].filter(
    (id) => place?.after(id) !== undefined,
  )
  assert.equal(place?.forced, longer.length > 0 ? undefined : quote)
})

test('trying tokens of all kinds takes no more steps with a pattern than without', () => {
  const text = encode('"The fox went to the river and sang"')
  const stepsWith = (conditions: object): number => {
    const step = mock.method(JsonState.prototype, 'step')
    let place = open({ type: 'string', maxLength: 60, ...conditions })
    for (const id of text) {
      for (let tokenId = 0; tokenId < VOCABULARY_SIZE; tokenId += 16) place.after(tokenId)
      place = place.after(id) ?? assert.fail()
    }
    step.mock.restore()
    return step.mock.callCount()
  }
  const plain = stepsWith({})
  for (const pattern of ['^[^"]*$', '^[A-Za-z ]+$', '^(?=.*fox).*$']) {
    const steps = stepsWith({ pattern })
    assert.ok(steps <= plain, `${pattern}: ${steps} steps, ${plain} without`)
  }
})

test('control tokens are never allowed', () => {
  const place = open({ type: 'string' })
  for (let id = 0; id < 8; id += 1) assert.equal(place.after(id), undefined)
})

test('a tokenizer without the bytes of its tokens is refused by name', () => {
  const missing = new Grammars(path.join(import.meta.dirname, 'nowhere.json'))
  assert.throws(() => missing.open('{}'), { code: 'unsupported_parameter', param: 'grammar' })
})
