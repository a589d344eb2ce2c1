import { ApiError, limits } from '@setblock/shared'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { JobGate } from './job-gate.ts'

export function jobBodyLimit() {
  return bodyLimit({
    maxSize: limits.jobBodyBytesMax,
    onError: () => {
      throw new ApiError('request_too_large', `a job may have ${limits.jobBodyBytesMax} bytes`)
    },
  })
}

/**
 * What the edge has signed: the tenant that it vouches for, and the body's JSON.
 * @throws ApiError `invalid_job_token`, `invalid_json`
 */
export async function readSigned(
  c: Context,
  gate: JobGate,
): Promise<{ tenant: string; value: unknown }> {
  const body = new Uint8Array(await c.req.arrayBuffer())
  const tenant = await gate.admit(c.req.header('authorization'), body)
  return { tenant, value: parseJson(body) }
}

/** The edge's id of the request, if it may stand in a log line. It is not signed and decides nothing. */
export function readRequestId(c: Context): string | null {
  const id = c.req.header('x-request-id') ?? ''
  return /^[\w.:-]{1,128}$/.test(id) ? id : null
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new ApiError('invalid_json', 'the body is not JSON in UTF-8')
  }
}
