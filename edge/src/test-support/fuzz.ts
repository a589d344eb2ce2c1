import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type * as z from 'zod'
import * as answers from '../openapi/answers.ts'
import { mutatedBodies, validBodies } from './arbitrary-body.ts'
import { parseSse } from './harness.ts'

/** The routes that take bodies, with the names of their schemas and the forms of their answers. */
export const FUZZED = [
  {
    path: '/v1/chat/completions',
    component: 'ChatCompletionRequest',
    whole: answers.chatCompletionSchema,
    last: '[DONE]',
  },
  {
    path: '/v1/completions',
    component: 'CompletionRequest',
    whole: answers.completionSchema,
    last: '[DONE]',
  },
  {
    path: '/v1/generate',
    component: 'GenerationRequest',
    whole: answers.generationSchema,
    last: 'end',
  },
] as const

export type FuzzedRoute = (typeof FUZZED)[number]

export interface FuzzOptions {
  route: FuzzedRoute
  /** A model that exists, for most of the bodies. */
  model: string
  post: (path: string, body: string) => Promise<Response>
  runs: number
  seed: number
  /** Most tokens of a body that is valid so far; undefined leaves them as they are. */
  maxTokens?: number
}

/** How many bodies were answered, and how many refused. */
export interface FuzzOutcome {
  answered: number
  refused: number
}

/**
 * Posts bodies made from the route's schema, as they are and mutated. Throws with a seed to repeat
 * when one gets a 5xx, an answer that is not as described, or a refusal that names no field.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzOutcome> {
  const { route, runs, seed } = options
  const outcome: FuzzOutcome = { answered: 0, refused: 0 }
  const property = fc.asyncProperty(bodiesFor(options), async (body) => {
    const response = await options.post(route.path, body)
    if (response.status === 200) {
      outcome.answered += 1
      await assertAnswer(response, route)
    } else {
      outcome.refused += 1
      await assertRefusal(response, body)
    }
  })
  await fc.assert(property, { numRuns: runs, seed, interruptAfterTimeLimit: 0x7fffffff })
  return outcome
}

function bodiesFor({ route, model, maxTokens }: FuzzOptions): fc.Arbitrary<string> {
  const { component } = route
  const settle = (body: unknown): unknown => {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
    const settled: Record<string, unknown> = { ...body, model }
    // The native form takes one of the two, which its schema alone cannot say.
    if (component === 'GenerationRequest' && 'prompt' in body) delete settled['messages']
    else if (!('messages' in body)) settled['prompt'] ??= 'hi'
    if (maxTokens !== undefined && !('max_completion_tokens' in body)) {
      settled['max_tokens'] ??= maxTokens
    }
    return settled
  }
  const json = (body: unknown) => JSON.stringify(body) ?? 'null'
  return fc.oneof(
    { weight: 4, arbitrary: validBodies(component).map((body) => json(settle(body))) },
    { weight: 4, arbitrary: mutatedBodies(component).map((body) => json(settle(body))) },
    { weight: 1, arbitrary: mutatedBodies(component).map(json) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(validBodies(component), fc.nat(400), fc.string({ unit: 'binary', maxLength: 3 }))
        .map(([body, at, text]) => {
          const whole = json(body)
          return whole.slice(0, at) + text + whole.slice(at + 1)
        }),
    },
  )
}

async function assertAnswer(response: Response, { whole, last }: FuzzedRoute): Promise<void> {
  if (response.headers.get('content-type')?.startsWith('application/json') === true) {
    const schema: z.ZodType = whole
    schema.parse(await response.json())
    return
  }
  const final = parseSse(await response.text()).at(-1)
  assert.equal(typeof final === 'string' ? final : (final as { type: string }).type, last)
}

/** Errors that are always one field's fault, as long as there are fields. */
const FIELD_ERRORS = new Set([
  'invalid_request',
  'unsupported_parameter',
  'context_length_exceeded',
  'model_not_found',
])

async function assertRefusal(response: Response, body: string): Promise<void> {
  const { status, headers } = response
  const envelope = answers.errorSchema.parse(await response.json())
  const { code, param, message } = envelope.error
  assert.ok(status >= 400 && status < 500, `${status} ${code}: ${message}`)
  assert.equal(headers.get('x-should-retry'), 'false')
  assert.ok(headers.get('x-request-id'))
  if (code.startsWith('session_')) return
  assert.ok(FIELD_ERRORS.has(code) || code === 'invalid_json', code)
  if (code === 'invalid_json' || !isObject(JSON.parse(body))) return
  assert.ok(param !== null && message.startsWith(param), `${param}: ${message}`)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
