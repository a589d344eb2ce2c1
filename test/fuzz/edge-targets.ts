import { ApiError, parseWith } from '@setblock/shared'
import type * as z from 'zod'
import { createKeySchema, keyQuerySchema } from '../../edge/src/auth/api-key.ts'
import { createBrowserTokens, createTokenSchema } from '../../edge/src/auth/browser-token.ts'
import { newSessionSchema } from '../../edge/src/routes/sessions.ts'
import { readEdgeConfig, readNodeConfig } from '../../edge/src/config.ts'
import { readJsonBody } from '../../edge/src/http/json-body.ts'
import { edgeLimits } from '../../edge/src/limits.ts'
import { parseChatRequest } from '../../edge/src/requests/chat-request.ts'
import { parseCompletionRequest } from '../../edge/src/requests/completion-request.ts'
import type { GenerationRequest } from '../../edge/src/requests/generation-request.ts'
import { parseNativeRequest } from '../../edge/src/requests/native-request.ts'
import { readIfMatch } from '../../edge/src/requests/session-request.ts'
import { readEventId } from '../../edge/src/streams/event-id.ts'
import { loadTiny } from '../../edge/src/test-support/tiny-model.ts'
import { takes, toBytes, toJsonBytes, toText, type Target } from './run-fuzz.ts'

const isApiError = (error: unknown): boolean => error instanceof ApiError
const { bodyBytesMax: bytesMax, jsonDepthMax: depthMax } = edgeLimits
const MESSAGES = [
  { role: 'system', content: 'be brief' },
  { role: 'user', content: 'hé <|end|> 漢 🎉' },
]
const SCHEMA = {
  type: 'object',
  properties: { a: { type: 'array', items: { $ref: '#/$defs/b' } } },
  $defs: { b: { enum: ['x', 1, null] } },
}

/** A body on its whole way: bytes, JSON, request, prompt. */
function bodyTarget(
  name: string,
  examples: readonly unknown[],
  parse: (body: unknown) => GenerationRequest,
  encode: (request: GenerationRequest) => unknown,
): Target {
  return {
    name,
    examples: examples.map(toJsonBytes),
    async read(bytes) {
      const headers = { 'content-type': 'application/json' }
      const body = new Uint8Array(bytes)
      const request = new Request('http://edge/', { method: 'POST', body, headers })
      try {
        encode(parse(await readJsonBody(request, { bytesMax, depthMax })))
        return true
      } catch (error) {
        if (error instanceof ApiError && error.code !== 'internal_error') return false
        throw error
      }
    },
  }
}

/** A line of text that is refused by an ApiError. */
const lineTarget = (name: string, examples: string[], read: (text: string) => unknown): Target => ({
  name,
  examples: examples.map(toBytes),
  read: (bytes) => takes(() => read(toText(bytes)), isApiError),
})

/** A small body, of which only the schema is told. */
const schemaTarget = (name: string, schema: z.ZodType, examples: unknown[]): Target => ({
  name,
  examples: examples.map(toJsonBytes),
  read: (bytes) =>
    takes(
      () => parseWith(schema, JSON.parse(toText(bytes))),
      (error) => isApiError(error) || error instanceof SyntaxError,
    ),
})

const SECRET = 'a-secret-that-must-never-be-told-to-anybody'

/** Variables as `NAME=value` lines; a refusal must not quote a secret. */
function environmentTarget(name: string, lines: string[], read: (env: object) => unknown): Target {
  return {
    name,
    examples: [toBytes(lines.join('\n'))],
    read(bytes) {
      const pairs = toText(bytes)
        .split('\n')
        .map((line) => line.split('='))
      const env = Object.fromEntries(pairs.map(([key = '', ...value]) => [key, value.join('=')]))
      return takes(
        () => read(env),
        (error) => isApiError(error) && !(error as Error).message.includes(SECRET),
      )
    },
  }
}

const ENVIRONMENT = [
  'GPU_WORKERS=http://127.0.0.1:8788,https://worker.example:443/',
  `SETBLOCK_JOB_SECRET=${SECRET}`,
  `SETBLOCK_ADMIN_KEY=${SECRET}`,
  'SETBLOCK_CORS_ORIGINS=https://app.example',
  'SETBLOCK_DATABASE=:memory:',
  'SETBLOCK_EDGE_PORT=0',
]

async function browserTokens(): Promise<Target> {
  const tokens = createBrowserTokens(SECRET)
  const payload = { keyId: 'key-1', scopes: ['generate' as const], origin: null, expiresAt: 1 }
  const token = await tokens.sign(payload)
  return {
    name: 'browser token',
    examples: [toBytes(token)],
    async read(bytes) {
      const text = toText(bytes)
      const known = (await tokens.read(text)) !== undefined
      if (known && text !== token) throw new Error('a forged token was taken')
      return known
    },
  }
}

/** What the edge reads. */
export async function edgeTargets(): Promise<Target[]> {
  const model = await loadTiny()
  const encode = ({ prompt }: GenerationRequest): unknown => {
    if (prompt.kind === 'messages') return model.encodeChat(prompt.messages)
    return prompt.kind === 'text' ? model.tokenizer.encodeText(prompt.text) : prompt.tokenIds
  }
  const common = { model: 'tiny', max_tokens: 9, temperature: 0.5, seed: 3, stop: ['a'] }
  return [
    bodyTarget(
      'chat request, template, tokenizer',
      [
        { ...common, messages: MESSAGES, stream: true, stream_options: { include_usage: true } },
        {
          ...common,
          messages: MESSAGES,
          response_format: { type: 'json_schema', json_schema: { name: 'n', schema: SCHEMA } },
        },
      ],
      parseChatRequest,
      encode,
    ),
    bodyTarget(
      'completion request',
      [{ ...common, prompt: 'é\u0000x' }],
      parseCompletionRequest,
      encode,
    ),
    bodyTarget(
      'native request',
      [{ ...common, prompt: 'x', gamma: 0.35, reveals: true, session: 's', append: true }],
      parseNativeRequest,
      encode,
    ),
    lineTarget('event id', ['abcd1234-17'], readEventId),
    lineTarget('if-match', ['"3"', '*'], readIfMatch),
    await browserTokens(),
    schemaTarget('key to make', createKeySchema, [
      { tenant: 'acme', name: 'a', scopes: ['generate'], expires_in_seconds: 60 },
    ]),
    schemaTarget('keys to list', keyQuerySchema, [{ tenant: 'acme', limit: '3', after: 'key-1' }]),
    schemaTarget('token to make', createTokenSchema, [
      { scopes: ['generate'], origin: 'https://app.example', expires_in_seconds: 60 },
    ]),
    schemaTarget('session to make', newSessionSchema, [{ id: 's-1', ttl_seconds: 60 }]),
    environmentTarget('environment of the edge', ENVIRONMENT, readEdgeConfig),
    environmentTarget('environment of the edge on Node', ENVIRONMENT, readNodeConfig),
  ]
}
