import { createDocument } from 'zod-openapi'
import { chatChunkSchema, completionChunkSchema, generationEventSchema } from './answers.ts'
import { accountPaths } from './account-operations.ts'
import { generationPaths, otherPaths } from './operations.ts'
import { streamPaths } from './stream-operations.ts'
import { sessionPaths } from './sessions.ts'

/** The API as an OpenAPI 3.1 document, from the schemas that requests are parsed with. */
export function createOpenApiDocument() {
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Setblock',
      version: '0.1.0',
      summary: 'Language models by Set Block Decoding: several tokens in one forward pass.',
      description:
        'OpenAI’s chat completions and completions, and a native form that shows how a text is ' +
        'decoded. Send your key as `Authorization: Bearer <key>`. Every answer has an ' +
        '`x-request-id`; every error has the same envelope, and `x-should-retry` says whether ' +
        'the same request may succeed later.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    tags: [
      { name: 'Generation', description: 'Three forms of the same thing.' },
      { name: 'Streams', description: 'Answers that are kept for a while.' },
      {
        name: 'Sessions',
        description: 'A conversation that the server remembers, for your keys alone.',
      },
      { name: 'Account', description: 'Browser tokens and usage.' },
      { name: 'Keys', description: 'For the operator.' },
      { name: 'Models' },
      { name: 'Health', description: 'Need no key.' },
    ],
    paths: {
      ...generationPaths,
      ...streamPaths,
      ...sessionPaths,
      ...accountPaths,
      ...otherPaths,
    },
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      // Events are in no JSON body, so nothing above refers to them.
      schemas: { chatChunkSchema, completionChunkSchema, generationEventSchema },
    },
  })
}

export type OpenApiDocument = ReturnType<typeof createOpenApiDocument>
