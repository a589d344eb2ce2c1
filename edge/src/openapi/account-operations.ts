import type { ErrorCode } from '@setblock/shared'
import * as z from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import {
  apiKeySchema,
  createdKeySchema,
  createKeySchema,
  keyListSchema,
  keyQuerySchema,
} from '../auth/api-key.ts'
import { createdTokenSchema, createTokenSchema } from '../auth/browser-token.ts'
import { edgeLimits } from '../limits.ts'
import { usageQuerySchema, usageSummarySchema } from '../metering/usage-store.ts'
import { errorResponses, EVERYWHERE, WITH_KEY } from './errors.ts'

const BODY_ERRORS: readonly ErrorCode[] = [
  'invalid_request',
  'invalid_json',
  'request_too_large',
  'unsupported_media_type',
]

const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
const failures = (...codes: ErrorCode[]) =>
  errorResponses([...codes, 'insufficient_scope', ...WITH_KEY, ...EVERYWHERE])

const keySchema = apiKeySchema.meta({
  id: 'ApiKey',
  description: 'A key without itself: only a digest of it is stored. Times are unix seconds.',
})

/** What a key does beside generating, and what the operator does with keys. */
export const accountPaths: ZodOpenApiPathsObject = {
  '/v1/tokens': {
    post: {
      operationId: 'createBrowserToken',
      tags: ['Account'],
      summary: 'Mint a token for a browser',
      description:
        'A short-lived token that a page sends as its bearer, so that no page carries a key. ' +
        'Needs the scope `tokens`.',
      requestBody: {
        required: true,
        content: json(createTokenSchema.meta({ id: 'BrowserTokenRequest' })),
      },
      responses: {
        '201': {
          description: 'The token, shown this once.',
          content: json(createdTokenSchema.meta({ id: 'BrowserToken' })),
        },
        ...failures(...BODY_ERRORS),
      },
    },
  },
  '/v1/usage': {
    get: {
      operationId: 'getUsage',
      tags: ['Account'],
      summary: 'Read what was used',
      description:
        'By day in UTC, both ends included. Days that are longer ago than the operator keeps records ' +
        `(${edgeLimits.usageKeptDaysDefault} by default) are empty. Needs the scope \`usage\`.`,
      requestParams: { query: usageQuerySchema },
      responses: {
        '200': {
          description: 'Requests, tokens and forwards.',
          content: json(usageSummarySchema.meta({ id: 'UsageSummary' })),
        },
        ...failures('invalid_request'),
      },
    },
  },
  '/v1/admin/keys': {
    post: {
      operationId: 'createKey',
      tags: ['Keys'],
      summary: 'Make a key',
      description: 'Needs the scope `admin`.',
      requestBody: { required: true, content: json(createKeySchema.meta({ id: 'KeyRequest' })) },
      responses: {
        '201': {
          description: 'The key, shown this once.',
          content: json(createdKeySchema.meta({ id: 'CreatedKey' })),
        },
        ...failures(...BODY_ERRORS),
      },
    },
    get: {
      operationId: 'listKeys',
      tags: ['Keys'],
      summary: 'List keys',
      description: 'Needs the scope `admin`.',
      requestParams: { query: keyQuerySchema },
      responses: {
        '200': {
          description: 'Keys by id; the last one’s id is the next page’s `after`.',
          content: json(keyListSchema.extend({ data: z.array(keySchema) }).meta({ id: 'KeyList' })),
        },
        ...failures('invalid_request'),
      },
    },
  },
  '/v1/admin/keys/{id}': {
    delete: {
      operationId: 'revokeKey',
      tags: ['Keys'],
      summary: 'Revoke a key',
      description: 'For ever; doing it again changes nothing. Needs the scope `admin`.',
      requestParams: { path: z.object({ id: z.string() }) },
      responses: {
        '200': { description: 'The key, revoked.', content: json(keySchema) },
        ...failures('not_found'),
      },
    },
  },
}
