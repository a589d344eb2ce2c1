import * as z from 'zod'
import type { ErrorCode } from '@setblock/shared'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { newSessionSchema } from '../routes/sessions.ts'
import { sessionListSchema, sessionSchema, deletedSessionSchema } from './answers.ts'
import { errorResponses, EVERYWHERE, WITH_KEY } from './errors.ts'

const ALWAYS: readonly ErrorCode[] = [
  'invalid_request',
  'worker_unavailable',
  'worker_draining',
  ...WITH_KEY,
  ...EVERYWHERE,
]
const tags = ['Sessions']
const path = z.object({ id: z.string() })
const etag = z.object({ etag: z.string().meta({ description: 'The version, for If-Match.' }) })
const answer = (schema: z.ZodType, description: string) => ({
  description,
  headers: etag,
  content: { 'application/json': { schema } },
})
const newSession = {
  content: { 'application/json': { schema: newSessionSchema.meta({ id: 'NewSession' }) } },
}

export const sessionPaths: ZodOpenApiPathsObject = {
  '/v1/sessions': {
    post: {
      operationId: 'createSession',
      tags,
      summary: 'Create a session',
      description:
        'Only needed for a time to live of its own: a generation that names a new session creates it.',
      requestBody: newSession,
      responses: {
        '201': answer(sessionSchema, 'The session.'),
        ...errorResponses(['session_exists', 'session_limit_exceeded', 'invalid_json', ...ALWAYS]),
      },
    },
    get: {
      operationId: 'listSessions',
      tags,
      summary: 'List your sessions',
      requestParams: {
        query: z.object({ after: z.string().optional(), limit: z.int().optional() }),
      },
      responses: {
        '200': {
          description: 'A page, in order of id.',
          content: { 'application/json': { schema: sessionListSchema } },
        },
        ...errorResponses(ALWAYS),
      },
    },
  },
  '/v1/sessions/{id}': {
    get: {
      operationId: 'getSession',
      tags,
      summary: 'Describe a session',
      requestParams: { path },
      responses: {
        '200': answer(sessionSchema, 'The session.'),
        ...errorResponses(['session_not_found', 'session_corrupt', ...ALWAYS]),
      },
    },
    delete: {
      operationId: 'deleteSession',
      tags,
      summary: 'Delete a session',
      requestParams: { path, header: z.object({ 'if-match': z.string().optional() }) },
      responses: {
        '200': {
          description: 'It is gone.',
          content: { 'application/json': { schema: deletedSessionSchema } },
        },
        ...errorResponses(['session_not_found', 'session_busy', 'session_conflict', ...ALWAYS]),
      },
    },
  },
  '/v1/sessions/{id}/fork': {
    post: {
      operationId: 'forkSession',
      tags,
      summary: 'Begin a new session with the same history',
      requestParams: { path },
      requestBody: newSession,
      responses: {
        '201': answer(sessionSchema, 'The new session.'),
        ...errorResponses([
          'session_not_found',
          'session_exists',
          'session_limit_exceeded',
          'invalid_json',
          ...ALWAYS,
        ]),
      },
    },
  },
}
