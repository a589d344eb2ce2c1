import * as z from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { REPLAYED_HEADER, RESUMABLE_HEADER, STREAM_ID_HEADER } from '../streams/keep-stream.ts'
import { errorResponses, EVERYWHERE, WITH_KEY } from './errors.ts'

const lastEventId = z.string().optional().meta({
  description: 'The `id` of the last event that arrived: the answer goes on behind it.',
})

/** Headers of a generation that make its answer repeatable or resumable. */
export const keepHeaders = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .meta({
      description:
        'The same key with the same body attaches to the answer that runs, or gets the stored one; ' +
        'with another body it is refused.',
    }),
  [RESUMABLE_HEADER]: z.literal('true').optional().meta({
    description: 'The answer goes on for a while when its client is lost.',
  }),
  'last-event-id': lastEventId,
})

export const keptHeaders = {
  [STREAM_ID_HEADER]: z.string().optional().meta({
    description: 'Of an answer that is kept: its id for /v1/streams.',
  }),
  [REPLAYED_HEADER]: z.literal('true').optional().meta({ description: 'Not generated anew.' }),
}

const path = z.object({ id: z.string().meta({ description: `From ${STREAM_ID_HEADER}.` }) })

export const streamPaths: ZodOpenApiPathsObject = {
  '/v1/streams/{id}': {
    get: {
      operationId: 'readStream',
      tags: ['Streams'],
      summary: 'Read an answer again, or where it broke off',
      description:
        'Every event of a kept stream has an `id`; with `Last-Event-ID` the answer goes on behind ' +
        'that event, without it from the beginning.',
      requestParams: { path, header: z.object({ 'last-event-id': lastEventId }) },
      responses: {
        '200': {
          description: 'The answer as it was or is being sent: a stream, or JSON.',
          content: {
            'text/event-stream': { schema: z.string() },
            'application/json': { schema: z.unknown() },
          },
        },
        ...errorResponses([
          'invalid_request',
          'stream_not_found',
          'events_expired',
          ...WITH_KEY,
          ...EVERYWHERE,
        ]),
      },
    },
    delete: {
      operationId: 'deleteStream',
      tags: ['Streams'],
      summary: 'End a stream and forget its answer',
      requestParams: { path },
      responses: {
        '204': { description: 'It is gone.' },
        ...errorResponses(['stream_not_found', ...WITH_KEY, ...EVERYWHERE]),
      },
    },
  },
}
