import { ApiError, limits, sessionIdSchema } from '@setblock/shared'
import type { SessionAnswer, SessionFacts } from '@setblock/shared'
import { Hono } from 'hono'
import type { Context } from 'hono'
import * as z from 'zod'
import { requireScope } from '../auth/require-key.ts'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readJsonBody } from '../http/json-body.ts'
import { closedObject, refuseField } from '../requests/fields.ts'
import { parseBody } from '../requests/generation-request.ts'
import { readIfMatch } from '../requests/session-request.ts'

/** Body of `POST /v1/sessions` and of a fork. */
export const newSessionSchema = closedObject({
  id: sessionIdSchema.optional().meta({ description: 'Left out: one is made up.' }),
  ttl_seconds: z
    .int()
    .min(1)
    .max(limits.sessionTtlMsMax / 1000)
    .optional()
    .meta({ description: 'How long the session lives after its last turn.' }),
})

/** Query of `GET /v1/sessions`. */
const listSchema = closedObject({
  after: sessionIdSchema.optional(),
  limit: z.coerce.number().int().min(1).max(limits.sessionsPageMax).optional(),
})

type EdgeContext = Context<EdgeBindings>

/** Sessions of the caller's own tenant; there is no way to name another's. */
export function sessionRoutes({ workers, limits: edge }: EdgeDeps): Hono<EdgeBindings> {
  const options = (c: EdgeContext) => ({
    tenant: c.var.owner.tenant,
    headers: { 'x-request-id': String(c.var.record['requestId']) },
    signal: c.req.raw.signal,
  })
  const idOf = (c: EdgeContext): string => {
    const id = sessionIdSchema.safeParse(c.req.param('id'))
    if (!id.success) throw refuseField('id', 'is no session id')
    return id.data
  }
  const readNew = async (c: EdgeContext) => {
    const { bodyBytesMax: bytesMax, jsonDepthMax: depthMax } = edge
    const empty = c.req.header('content-length') === '0' || c.req.raw.body === null
    const body = empty ? {} : await readJsonBody(c.req.raw, { bytesMax, depthMax })
    const { id, ttl_seconds: seconds } = parseBody(newSessionSchema, body)
    return { id, ttlMs: seconds === undefined ? undefined : seconds * 1000 }
  }

  return new Hono<EdgeBindings>()
    .use('/sessions/*', requireScope('generate'))
    .post('/sessions', async (c) => {
      const { id = crypto.randomUUID(), ttlMs } = await readNew(c)
      const answer = await workers.session({ operation: 'create', id, ttlMs }, options(c))
      return sendOne(c, answer, 201)
    })
    .get('/sessions', async (c) => {
      const { after, limit: count } = parseBody(listSchema, c.req.query())
      const answer = await workers.session({ operation: 'list', after, count }, options(c))
      const { sessions, next } = answer
      return c.json({
        object: 'list',
        data: sessions.map(describeSession),
        has_more: next !== undefined,
      })
    })
    .get('/sessions/:id', async (c) => {
      const answer = await workers.session({ operation: 'get', id: idOf(c) }, options(c))
      return sendOne(c, answer, 200)
    })
    .delete('/sessions/:id', async (c) => {
      const [id, ifVersion] = [idOf(c), readIfMatch(c.req.header('if-match'))]
      await workers.session({ operation: 'delete', id, ifVersion }, options(c))
      return c.json({ id, object: 'session', deleted: true })
    })
    .post('/sessions/:id/fork', async (c) => {
      const { id: newId = crypto.randomUUID(), ttlMs } = await readNew(c)
      const call = { operation: 'fork', id: idOf(c), newId, ttlMs } as const
      return sendOne(c, await workers.session(call, options(c)), 201)
    })
}

function sendOne(c: EdgeContext, { sessions: [facts] }: SessionAnswer, status: 200 | 201) {
  if (facts === undefined) throw ApiError.from(new Error('a worker told nothing of a session'))
  c.header('etag', `"${facts.version}"`)
  return c.json(describeSession(facts), status)
}

function describeSession({ id, version, tokens, createdMs, updatedMs, expiresMs }: SessionFacts) {
  const seconds = (milliseconds: number) => Math.floor(milliseconds / 1000)
  return {
    id,
    object: 'session',
    version,
    tokens,
    created_at: seconds(createdMs),
    updated_at: seconds(updatedMs),
    expires_at: seconds(expiresMs),
  }
}
