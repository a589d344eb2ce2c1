import assert from 'node:assert/strict'
import { zodResponseFormat } from 'openai/helpers/zod'
import * as z from 'zod'
import { ORDER, userSays, type ConformanceCase } from './case.ts'
import { complete, connect, stream, textOf } from './openai-client.ts'

/** Not what the model was trained to answer with: by itself it writes other members. */
const city = z.strictObject({
  city: z.string(),
  day: z.enum(['Monday', 'Sunday']),
  on: z.iso.date(),
  code: z.string().regex(/^[A-Z]{2}\d?$/),
  price: z.number().multipleOf(0.5).min(0).max(50),
})

export const openAiStructuredCases: readonly ConformanceCase[] = [
  {
    name: 'parse with a zod schema gives what the schema says, in every mode',
    async run(target) {
      for (const mode of ['verified', 'sbd', 'ntp']) {
        const format = zodResponseFormat(city, 'delivery')
        const body = { model: target.model, messages: userSays(ORDER), response_format: format }
        const answer = await connect(target).chat.completions.parse({
          ...body,
          mode,
        } as typeof body)
        const { parsed } = answer.choices[0]!.message
        assert.deepEqual(Object.keys(city.parse(parsed)), Object.keys(city.shape))
      }
    },
  },
  {
    name: 'json_object is an object, streamed as whole, and sampled',
    async run(target) {
      const fields = {
        response_format: { type: 'json_object' },
        messages: userSays('[json] name: Ada; city: Rome; age: 31; paid: true'),
        temperature: 0.5,
        seed: 1,
      }
      const text = textOf(await complete(target, fields))!
      assert.equal(typeof JSON.parse(text), 'object')
      const chunks = await Array.fromAsync(await stream(target, fields))
      const streamed = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
      assert.equal(streamed, text)
    },
  },
  {
    name: 'a schema that cannot be held to is refused by its path',
    async run(target) {
      const schema = { type: 'object', not: {} }
      const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } }
      await assert.rejects(complete(target, { response_format }), {
        status: 400,
        param: 'response_format.json_schema.schema.not',
      })
    },
  },
]
