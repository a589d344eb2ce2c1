import { ERRORS } from '@setblock/shared'
import type { ErrorCode } from '@setblock/shared'
import type { ZodOpenApiResponsesObject } from 'zod-openapi'
import * as z from 'zod'
import { errorSchema } from './answers.ts'

/** Errors any route may answer with. */
export const EVERYWHERE: readonly ErrorCode[] = ['method_not_allowed', 'internal_error']
export const WITH_KEY: readonly ErrorCode[] = [
  'missing_api_key',
  'invalid_api_key',
  'token_expired',
  'origin_not_allowed',
  'too_many_failed_attempts',
]

const retryAfter = {
  'retry-after': z.int().min(1).optional().meta({ description: 'Seconds to wait.' }),
  'retry-after-ms': z.int().min(1).optional().meta({ description: 'The same in milliseconds.' }),
}

/** One response for each status that the codes have, naming them. */
export function errorResponses(codes: readonly ErrorCode[]): ZodOpenApiResponsesObject {
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].status)
  const responses = [...byStatus].map(([status, group]) => {
    const retryable = group.some((code) => ERRORS[code].retryable)
    const response = {
      description: group.map((code) => `\`${code}\``).join(', '),
      headers: z.object({
        'x-request-id': z.string(),
        'x-should-retry': z.enum(['true', 'false']),
        ...(retryable ? retryAfter : {}),
      }),
      content: { 'application/json': { schema: errorSchema } },
    }
    return [String(status), response] as const
  })
  return Object.fromEntries(responses)
}
