import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileErrors, validate } from '@readme/openapi-parser'
import type * as z from 'zod'
import { chatRequestSchema } from '../requests/chat-request.ts'
import { completionRequestSchema } from '../requests/completion-request.ts'
import { nativeRequestSchema } from '../requests/native-request.ts'
import { parseSse, startHarness } from '../test-support/harness.ts'
import { write } from '../test-support/scripts.ts'
import { METHODS } from '../app.ts'
import * as answers from './answers.ts'
import { createOpenApiDocument } from './document.ts'
import { EXAMPLES } from './examples.ts'

const messages = [{ role: 'user', content: 'hi' }]

test('the document is valid OpenAPI 3.1, and every reference in it leads somewhere', async () => {
  const document = createOpenApiDocument()
  const result = await validate(structuredClone(document) as Parameters<typeof validate>[0])
  assert.ok(result.valid, result.valid ? '' : compileErrors(result))
  assert.deepEqual([result.specification, result.warnings], ['OpenAPI', []])
  const broken = { ...structuredClone(document), paths: { models: {} } }
  assert.equal((await validate(broken as Parameters<typeof validate>[0])).valid, false)
  const names = Object.keys(document.components?.schemas ?? {})
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)]
  assert.ok(references.length > 10)
  for (const [, reference] of references) {
    const [, name] = /^#\/components\/schemas\/(\w+)$/.exec(reference!) ?? []
    assert.ok(names.includes(name!), reference)
  }
  assert.ok(
    names.every((name) => /^[A-Z]/.test(name)),
    names.join(),
  )
})

test('the examples are what the schemas say', () => {
  const pairs: [z.ZodType, unknown][] = [
    [chatRequestSchema, EXAMPLES.chatRequest],
    [answers.chatCompletionSchema, EXAMPLES.chatCompletion],
    [completionRequestSchema, EXAMPLES.completionRequest],
    [answers.completionSchema, EXAMPLES.completion],
    [nativeRequestSchema, EXAMPLES.generationRequest],
    [answers.generationSchema, EXAMPLES.generation],
  ]
  for (const [schema, example] of pairs) schema.parse(example)
})

const FORMS: [path: string, body: object, whole: z.ZodType, event: z.ZodType][] = [
  [
    '/v1/chat/completions',
    { messages, n: 2, logprobs: true, top_logprobs: 2 },
    answers.chatCompletionSchema,
    answers.chatChunkSchema,
  ],
  ['/v1/chat/completions', { messages }, answers.chatCompletionSchema, answers.chatChunkSchema],
  [
    '/v1/completions',
    { prompt: 'hi', n: 2, logprobs: 3 },
    answers.completionSchema,
    answers.completionChunkSchema,
  ],
  [
    '/v1/generate',
    { prompt: 'hi', reveals: true, logprobs: 2, latency_budget_ms: 50 },
    answers.generationSchema,
    answers.generationEventSchema,
  ],
]

for (const [path, fields, whole, event] of FORMS) {
  test(`answers of ${path} are described to the last field: ${Object.keys(fields).join()}`, async (t) => {
    const { post } = await startHarness(t, { script: write('The little boat 🎉') })
    const body = { model: 'tiny', ...fields }
    whole.parse(await (await post(path, body)).json())
    const options = path === '/v1/generate' ? {} : { stream_options: { include_usage: true } }
    const streamed = await post(path, { ...body, ...options, stream: true })
    const events = parseSse(await streamed.text()).filter((payload) => payload !== '[DONE]')
    assert.ok(events.length > 3)
    for (const payload of events) event.parse(payload)
  })
}

test('models, health and errors are as described', async (t) => {
  const { get, post } = await startHarness(t, {})
  answers.modelListSchema.parse(await (await get('/v1/models')).json())
  answers.modelSchema.parse(await (await get('/v1/models/tiny')).json())
  answers.aliveSchema.parse(await (await get('/healthz')).json())
  answers.readinessSchema.parse(await (await get('/readyz')).json())
  answers.errorSchema.parse(await (await post('/v1/generate', {})).json())
})

test('every path described is a route, with the methods it has', () => {
  const { paths = {} } = createOpenApiDocument()
  for (const [path, item] of Object.entries(paths)) {
    const methods = Object.keys(item).map((method) => method.toUpperCase())
    const allowed = METHODS[path.replaceAll(/\{(\w+)\}/g, ':$1')]?.split(', ') ?? []
    assert.deepEqual(allowed.filter((method) => method !== 'HEAD').sort(), methods.sort(), path)
  }
})
