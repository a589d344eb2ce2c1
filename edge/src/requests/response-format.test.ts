import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startHarness } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'

const PATH = '/v1/chat/completions'
const messages = [{ role: 'user', content: 'hi' }]
const ROOT = 'response_format.json_schema.schema'

const format = (schema: unknown, rest: object = {}) => ({
  type: 'json_schema',
  json_schema: { name: 'order', schema, ...rest },
})

/** As a zod or pydantic schema of a small record comes out. */
const ORDER = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    zone: { $ref: '#/$defs/zone' },
    items: { type: 'array', items: { type: 'string', minLength: 1 }, maxItems: 9 },
    note: { anyOf: [{ type: 'string', maxLength: 9 }, { type: 'null' }] },
    size: { type: ['integer', 'null'], minimum: 0, description: 'in centimetres' },
    price: { type: 'number', multipleOf: 0.01 },
    day: { type: 'string', format: 'date', pattern: '^20' },
    code: { type: 'string', allOf: [{ pattern: '^[A-Z]{2}' }, { pattern: '\\d$' }] },
  },
  required: ['zone', 'items'],
  additionalProperties: false,
  $defs: { zone: { enum: ['north', 'south'] } },
  definitions: { old: { type: 'null', deprecated: true } },
}

test('a schema reaches the job as it came, its properties in their order', async (t) => {
  const { post, worker } = await startHarness(t, { script: write('{}') })
  const send = (response_format: unknown) =>
    post(PATH, { model: 'tiny', messages, response_format })
  for (const sent of [
    format(ORDER, { strict: true, description: 'an order' }),
    { type: 'json_object' },
    { type: 'text' },
    null,
  ]) {
    assert.equal((await send(sent)).status, 200, JSON.stringify(sent))
  }
  const [schema, object, text, none] = worker.jobs.map(({ grammar }) => grammar?.jsonSchema)
  assert.deepEqual(JSON.parse(schema!), ORDER)
  assert.deepEqual(
    Object.keys((JSON.parse(schema!) as typeof ORDER).properties),
    Object.keys(ORDER.properties),
  )
  assert.deepEqual(JSON.parse(object!), { type: 'object' })
  assert.equal(text, undefined)
  assert.equal(none, undefined)
})

const deep = (levels: number): object =>
  levels === 0 ? { type: 'null' } : { items: deep(levels - 1) }
const wide = (count: number) => ({ anyOf: Array.from({ length: count }, () => ({})) })

const BAD: [name: string, format: unknown, param: string, code?: string][] = [
  ['no object', 'json', 'response_format'],
  ['an unknown type', { type: 'xml' }, 'response_format.type'],
  ['no schema', { type: 'json_schema' }, 'response_format.json_schema'],
  [
    'no name',
    { type: 'json_schema', json_schema: { schema: {} } },
    'response_format.json_schema.name',
  ],
  ['a name with a space', format({}, { name: 'a b' }), 'response_format.json_schema.name'],
  ['a schema that is a list', format([]), ROOT],
  [
    'an unknown type inside',
    format({ properties: { a: { type: 'date' } } }),
    `${ROOT}.properties.a.type`,
  ],
  [
    'a keyword we cannot hold',
    format({ items: { not: {} } }),
    `${ROOT}.items.not`,
    'unsupported_parameter',
  ],
  ['a pattern that is no text', format({ pattern: 5 }), `${ROOT}.pattern`],
  ['a multiple of nothing', format({ multipleOf: 0 }), `${ROOT}.multipleOf`],
  [
    'all of what is not said of strings',
    format({ allOf: [{ not: {} }] }),
    `${ROOT}.allOf[0].not`,
    'unsupported_parameter',
  ],
  ['a reference to nothing', format({ items: { $ref: '#/$defs/x' } }), `${ROOT}.items.$ref`],
  ['a reference to elsewhere', format({ $ref: 'https://x.example/y' }), `${ROOT}.$ref`],
  [
    'a required property that may not be',
    format({ properties: {}, required: ['a'], additionalProperties: false }),
    `${ROOT}.required[0]`,
  ],
  ['a negative length', format({ minLength: -1 }), `${ROOT}.minLength`],
  ['a schema too deep', format(deep(20)), `${ROOT}${'.items'.repeat(16)}`],
  ['a schema too wide', format(wide(2_000)), ROOT],
  ['a schema too long', format({ description: 'x'.repeat(17_000) }), ROOT],
]

for (const [name, sent, param, code = 'invalid_request'] of BAD) {
  test(`${name} is refused by its path`, async (t) => {
    const { post, worker } = await startHarness(t, { script: write('{}') })
    const response = await post(PATH, { model: 'tiny', messages, response_format: sent })
    const { error } = (await response.json()) as { error: { param: string; code: string } }
    assert.equal(response.status, 400)
    assert.deepEqual([error.param, error.code], [param, code], JSON.stringify(error))
    assert.equal(worker.jobs.length, 0)
  })
}

test('a worker without grammars refuses it under the client’s name for it', async (t) => {
  const { post } = await startHarness(t, {
    refuse: () => ({
      status: 400,
      body: JSON.stringify({
        error: {
          message: 'grammar: not supported',
          type: 'invalid_request_error',
          param: 'grammar',
          code: 'unsupported_parameter',
        },
      }),
    }),
  })
  const response = await post(PATH, {
    model: 'tiny',
    messages,
    response_format: { type: 'json_object' },
  })
  assert.equal(response.status, 400)
  assert.deepEqual(await response.json(), {
    error: {
      message: 'response_format: not supported',
      type: 'invalid_request_error',
      param: 'response_format',
      code: 'unsupported_parameter',
    },
  })
})
