import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSetblock, SetblockError, type ResponseFormat } from '@setblock/client'
import { BadRequestError } from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import * as z from 'zod'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

const schema = {
  type: 'object',
  properties: {
    city: { type: 'string', minLength: 1 },
    day: { enum: ['Monday', 'Tuesday'] },
    hats: { type: 'integer', minimum: 1, maximum: 9 },
  },
  required: ['city', 'day', 'hats'],
  additionalProperties: false,
}
const format = {
  type: 'json_schema' as const,
  json_schema: { name: 'order', strict: true, schema },
}
/** What people ask for with Zod first: formats, a pattern, a multiple. */
const booking = z.strictObject({
  mail: z.email().max(20),
  day: z.iso.date(),
  at: z.iso.time({ precision: 0 }),
  id: z.uuid(),
  code: z.string().regex(/^[A-Z]{2}-\d{3}$/),
  price: z.number().multipleOf(0.5).min(0).max(100),
  hats: z.int().min(1).max(9),
})

// Not what the model was trained to answer with: by itself it would write other members.
const messages = [
  { role: 'user' as const, content: '[order] Please send 3 hats to Ada, Paris. Delivery: Monday.' },
]

describe('answers held to a JSON Schema', { timeout: 120_000 }, () => {
  const under = stackUnderTest('node')

  test('the stock client gets the members of its schema, streamed or whole, in every mode', async () => {
    for (const mode of ['ntp', 'verified', 'sbd'] as const) {
      const request = { model: MODEL, messages, response_format: format, mode }
      const whole = await under.openai().chat.completions.create(request)
      const text = whole.choices[0]?.message.content ?? ''
      assert.equal(whole.choices[0]?.finish_reason, 'stop')
      const answer = JSON.parse(text) as { city: string; day: string; hats: number }
      assert.deepEqual(Object.keys(answer), ['city', 'day', 'hats'])
      assert.ok(answer.hats >= 1 && answer.hats <= 9 && ['Monday', 'Tuesday'].includes(answer.day))
      const chunks = await Array.fromAsync(
        await under.openai().chat.completions.create({ ...request, stream: true }),
      )
      assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), text)
    }
  })

  test('formats, patterns and multiples as Zod writes them, in every mode, greedy and sampled', async () => {
    const response_format = zodResponseFormat(booking, 'booking')
    for (const mode of ['ntp', 'verified', 'sbd'] as const) {
      for (const temperature of [0, 1.2]) {
        const request = { model: MODEL, messages, response_format, temperature, seed: 3, mode }
        const answer = await under.openai().chat.completions.parse(request)
        assert.equal(answer.choices[0]?.finish_reason, 'stop')
        const { parsed } = answer.choices[0].message
        assert.deepEqual(Object.keys(booking.parse(parsed)), Object.keys(booking.shape))
      }
    }
  })

  test('a pattern that cannot be held to is a 400 of the worker that names its place', async () => {
    const repeated = { type: 'string', pattern: '^(a+)-\\1$' }
    const refused = { ...schema, properties: { ...schema.properties, city: repeated } }
    const response_format = {
      type: 'json_schema' as const,
      json_schema: { name: 'x', schema: refused },
    }
    for (const stream of [true, false]) {
      const request = { model: MODEL, messages, response_format, stream }
      await assert.rejects(under.openai().chat.completions.create(request), {
        status: 400,
        code: 'invalid_request',
        param: 'response_format',
        message: /a backreference is not supported at \/properties\/city\/pattern$/,
      })
    }
  })

  test('any object, sampled, in the native form, with its reveals', async () => {
    const client = createSetblock({ baseUrl: under.stack.edgeUrl, apiKey: under.stack.demoKey })
    const response_format: ResponseFormat = { type: 'json_object' }
    for (let seed = 0; seed < 4; seed += 1) {
      const sampling = { temperature: 1, seed, logprobs: 1 }
      const stream = client.generate({ model: MODEL, messages, response_format, ...sampling })
      const { text, finish_reason: finish } = await stream.answer
      if (finish === 'stop') assert.equal(typeof JSON.parse(text), 'object')
      else assert.ok(text.startsWith('{'))
    }
  })

  test('a schema that cannot be enforced is a 400 that names the field', async () => {
    const city = { type: 'string', not: { const: 'P' } }
    const refused = { ...schema, properties: { ...schema.properties, city } }
    const response_format = {
      type: 'json_schema' as const,
      json_schema: { name: 'x', schema: refused },
    }
    const client = createSetblock({ baseUrl: under.stack.edgeUrl, apiKey: under.stack.demoKey })
    await assert.rejects(
      client.generate({ model: MODEL, messages, response_format }).answer,
      (error) => {
        assert.ok(error instanceof SetblockError)
        const place = 'response_format.json_schema.schema.properties.city.not'
        assert.deepEqual([error.status, error.param], [400, place])
        return true
      },
    )
    await assert.rejects(
      under.openai().chat.completions.create({ model: MODEL, messages, response_format }),
      BadRequestError,
    )
  })
})
