import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import * as fc from 'fast-check'
import { ApiError } from '@setblock/shared'
import { readJsonSchema } from './json-schema.ts'
import type { JsonState } from './json-state.ts'
import { check, randomText, startOf, stepsOf } from '../testing/schema-texts.ts'

test('objects: members in order, required ones there, others only where they may be', () => {
  const properties = { a: { type: 'integer' }, b: { type: 'null' } }
  check(
    { type: 'object', properties, required: ['b'] },
    {
      valid: ['{"b":null}', '{"a":1,"b":null}'],
      invalid: [
        '{}',
        '{"a":1}',
        '{"b":null,"a":1}',
        '{"b":null,"c":1}',
        '{"b":null,}',
        '{,"b":null}',
        '{ "b":null}',
      ],
    },
  )
  check({ type: 'object' }, { valid: ['{}', '{"":1}', '{"a":{"b":[]}}'], invalid: ['[]', '{a:1}'] })
  check(
    { properties, additionalProperties: { type: 'boolean' } },
    {
      valid: ['{}', '{"c":true}', '{"aa":true,"":false}', '{"a":1,"c":true}', '{"é":true}'],
      invalid: ['{"c":1}', '{"a":true}', '{"\\u0061":true}', '{"b":true}'],
    },
  )
  check(
    { type: 'object', required: ['z'], additionalProperties: { type: 'null' } },
    {
      valid: ['{"z":null}', '{"z":null,"y":null}'],
      invalid: ['{}', '{"y":null}', '{"z":null,"z":null}'],
    },
  )
})

test('arrays: elements, their number, leading ones of their own', () => {
  check(
    { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 2 },
    {
      valid: ['[true]', '[true,false]'],
      invalid: ['[]', '[true,true,true]', '[1]', '[true,]'],
    },
  )
  check(
    { prefixItems: [{ const: 1 }, { const: 2 }], items: false },
    {
      valid: ['[]', '[1]', '[1,2]'],
      invalid: ['[2]', '[1,2,3]'],
    },
  )
  check(
    { prefixItems: [{ const: 1 }], items: { const: 0 }, minItems: 3 },
    {
      valid: ['[1,0,0]', '[1,0,0,0]'],
      invalid: ['[1,0]', '[0,0,0]'],
    },
  )
})

test('strings: characters are counted as code points; escapes and UTF-8 are well-formed', () => {
  check(
    { type: 'string', minLength: 1, maxLength: 2 },
    {
      valid: ['"a"', '"é🦊"', '"\\n\\u00e9"', '"\\""'],
      invalid: ['""', '"abc"', '"a', '"\n"', '"\\x"', '"\\ud800"', '"\\uD83E\\uDD8A"', '"\t"'],
    },
  )
  const state = startOf({ type: 'string' }).step(0x22)
  for (const bytes of [
    [0x80],
    [0xc0],
    [0xf5],
    [0xe0, 0x80],
    [0xed, 0xa0],
    [0xf0, 0x80],
    [0xf4, 0x90],
  ]) {
    assert.equal(
      bytes.reduce((at, byte) => at?.step(byte), state),
      undefined,
    )
  }
})

test('numbers: whole or not, within their bounds, never to a dead end', () => {
  check(
    { type: 'integer' },
    { valid: ['0', '-7', '120'], invalid: ['-0', '01', '1.0', '1e3', '-', '+1'] },
  )
  check(
    { type: 'number' },
    { valid: ['0', '-0.5', '3.25', '0.000000001'], invalid: ['.5', '1.', '1e3', '00.1'] },
  )
  check(
    { type: 'integer', minimum: 8, maximum: 12 },
    { valid: ['8', '9', '10', '12'], invalid: ['7', '13', '1', '80', '-9'] },
  )
  check(
    { type: 'integer', exclusiveMinimum: -3, exclusiveMaximum: 1 },
    { valid: ['-2', '-1', '0'], invalid: ['-3', '1'] },
  )
  check(
    { type: 'number', minimum: 0.1, maximum: 0.3 },
    { valid: ['0.1', '0.25', '0.3'], invalid: ['0', '0.09', '0.31', '1'] },
  )
  check(
    { type: 'number', exclusiveMinimum: 0, maximum: 1 },
    { valid: ['0.5', '1', '1.0'], invalid: ['0', '0.0', '1.1'] },
  )
})

test('numbers: multiples, within bounds', () => {
  check(
    { type: 'integer', multipleOf: 7, minimum: 10, exclusiveMaximum: 35 },
    { valid: ['14', '21', '28'], invalid: ['7', '35', '15', '1', '0'] },
  )
  check(
    { type: 'integer', multipleOf: 1000, minimum: -5000 },
    { valid: ['0', '-5000', '3000'], invalid: ['-6000', '100', '1001', '-0'] },
  )
  check(
    { type: 'number', multipleOf: 0.01, maximum: 2 },
    { valid: ['1.25', '1.5', '-0.01', '2', '1.50'], invalid: ['1.255', '2.01', '0.001', '-0.00'] },
  )
  check(
    { type: 'number', multipleOf: 2.5 },
    { valid: ['0', '2.5', '-5', '7.5', '10.0'], invalid: ['1', '2.6', '0.5'] },
  )
  check({ multipleOf: 5 }, { valid: ['5', '-10'], invalid: ['5.0', '3'] })
  check({ type: 'integer', multipleOf: 1.5 }, { valid: ['3', '6'], invalid: ['2', '1.5'] })
  check({ type: 'integer', multipleOf: 0.5 }, { valid: ['1', '-2'], invalid: ['0.5'] })
  check({ multipleOf: 3e-10 }, { valid: ['0.000000003', '0.3'], invalid: ['0.000000001'] })
  check({ multipleOf: 1e20 }, { valid: ['0'], invalid: ['100', '1'] })
  // A double has 15 decimal digits: with more, another decimal number would be read.
  check(
    { multipleOf: 0.01 },
    { valid: ['9999999999999.99'], invalid: ['10000000000000.01', '99999999999999'] },
  )
})

test('whatever bytes are taken, a number is of its range and its multiples, and its nearest end is told', () => {
  const ajv = new Ajv2020()
  /** Of 10^-9, exactly: validators divide doubles. */
  const units = (decimal: string): bigint => {
    const [whole = '', fraction = ''] = decimal.split('.')
    return BigInt(whole + fraction.padEnd(9, '0'))
  }
  const digits = fc.nat(4)
  const schemas = fc.tuple(fc.integer(), fc.nat(), fc.nat(), digits, digits, fc.boolean())
  const property = fc.property(
    schemas,
    fc.infiniteStream(fc.nat()),
    ([low, more, step, small, smaller, whole], random) => {
      const multipleOf = Number(`${(step % 997) + 1}e-${whole ? 0 : small}`)
      const minimum = Number(`${low % 10_000}e-${smaller}`)
      const maximum = minimum + 2 * multipleOf + (more % 100)
      const schema = { type: whole ? 'integer' : 'number', minimum, maximum }
      const start = startOf({ ...schema, multipleOf })
      const text = randomText(start, () => random.next().value, more % 20)
      const told = `${JSON.stringify(schema)} ${multipleOf}: ${text}`
      assert.ok(ajv.validate(schema, JSON.parse(text)), told)
      assert.equal(units(text) % units(String(multipleOf)), 0n, told)
      let state: JsonState | undefined = start
      for (const byte of Buffer.from(text)) {
        const nearest = Math.min(...stepsOf(state).map(([, next]) => next.least))
        if (!state.mayEnd) assert.equal(state.least, nearest + 1)
        state = state.step(byte) ?? assert.fail()
      }
    },
  )
  fc.assert(property, { numRuns: 200 })
})

test('choices: types, enum, const, anyOf, references that go round', () => {
  check({ type: ['integer', 'null'] }, { valid: ['1', 'null'], invalid: ['"1"'] })
  check(
    { enum: ['a', 'ab', 1, null, { x: [1] }] },
    { valid: ['"a"', '"ab"', '1', 'null', '{"x":[1]}'], invalid: ['"b"', '12'] },
  )
  check({ type: 'string', enum: ['a', 1] }, { valid: ['"a"'], invalid: ['1'] })
  check(
    { anyOf: [{ type: 'integer' }, { type: 'array', items: { $ref: '#' } }] },
    {
      valid: ['1', '[]', '[1,[2,[]]]'],
      invalid: ['"a"', '[[]'],
    },
  )
  const list = {
    type: 'object',
    properties: {
      head: { type: 'integer' },
      tail: { anyOf: [{ $ref: '#/$defs/list' }, { type: 'null' }] },
    },
    required: ['head', 'tail'],
  }
  check(
    { $ref: '#/$defs/list', $defs: { list } },
    {
      valid: ['{"head":1,"tail":{"head":2,"tail":null}}'],
      invalid: ['{"head":1}'],
    },
  )
  check({ anyOf: [{ $ref: '#' }, { const: 1 }] }, { valid: ['1'], invalid: ['2'] })
  check({}, { valid: ['1', '"a"', 'null', '[{}]'], invalid: ['', 'nul'] })
})

const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ const: index }))

test('whatever no text satisfies, or is not enforced, is refused with its place', () => {
  const endless = { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }
  const cases: [unknown, RegExp][] = [
    [{ properties: { a: { pattern: '(a)\\1' } } }, /at \/properties\/a\/pattern$/],
    [{ items: { not: {} } }, /at \/items\/not$/],
    [{ uniqueItems: true }, /at \/uniqueItems$/],
    [{ type: 'strin' }, /no such type at \/type$/],
    [{ $ref: '#/$defs/none' }, /leads nowhere/],
    [{ $ref: 'https://example.org/s' }, /inside the schema/],
    [{ anyOf: [{ type: 'null' }], properties: {} }, /anyOf and properties together/],
    [
      { type: 'object', required: ['a'], additionalProperties: false },
      /"a" is none of the properties/,
    ],
    [{ minLength: 3, maxLength: 2 }, /minLength/],
    [{ type: 'integer', minimum: 1.2, maximum: 1.8 }, /no number/],
    [{ type: 'integer', minimum: 8, maximum: 13, multipleOf: 7 }, /no number/],
    [{ items: { multipleOf: 0 } }, /above 0 at \/items\/multipleOf$/],
    [{ multipleOf: -1 }, /above 0 at \/multipleOf$/],
    [{ multipleOf: '1' }, /above 0 at \/multipleOf$/],
    [{ type: 'integer', format: 'int32' }, /strings alone: the keyword at \/format$/],
    [{ type: 'object', allOf: [{ minLength: 1 }] }, /strings alone: the keyword at \/allOf$/],
    [{ allOf: [{ type: 'string' }] }, /inside allOf, found at \/allOf\/0\/type$/],
    [{ allOf: [{ minLength: 3 }, { maxLength: 2 }] }, /no length/],
    [endless, /no finite value/],
    [{ type: 'string', enum: [1] }, /no finite value/],
    [{ anyOf: [{ $ref: '#' }] }, /no finite value/],
    [false, /there must be a schema/],
    [{ anyOf: [] }, /anyOf/],
    [{ anyOf: [{ anyOf: numbered(100) }, { anyOf: numbered(100) }] }, /more than 128 options/],
    [{ anyOf: numbered(129) }, /1 to 128 at \/anyOf/],
    [{ enum: Array.from({ length: 1025 }, (_, index) => index) }, /1 to 1024 at \/enum/],
  ]
  for (const [schema, message] of cases) {
    assert.throws(
      () => readJsonSchema(JSON.stringify(schema)),
      (error: unknown) => {
        assert.ok(error instanceof ApiError)
        assert.equal(error.code, 'invalid_request')
        assert.equal(error.param, 'grammar.jsonSchema')
        assert.match(error.message, message)
        return true
      },
    )
  }
  assert.throws(() => readJsonSchema('{'), /no JSON/)
  let deep: unknown = {}
  for (let depth = 0; depth < 80; depth += 1) deep = { items: deep }
  assert.throws(() => readJsonSchema(JSON.stringify(deep)), /nested deeper/)
})

test('an option that cannot end is left out; one that can is not', () => {
  const endless = { type: 'object', properties: { a: { $ref: '#/$defs/e' } }, required: ['a'] }
  check(
    { anyOf: [{ $ref: '#/$defs/e' }, { const: 1 }], $defs: { e: endless } },
    { valid: ['1'], invalid: ['{'] },
  )
  const state = startOf({ anyOf: [endless, { const: 1 }], $defs: { e: endless } })
  assert.equal(state.only, 0x31)
})
