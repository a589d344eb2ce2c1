import * as z from 'zod'
import { limits } from './limits.ts'

const milliseconds = z.number().min(0)

export const sessionIdSchema = z
  .string()
  .max(limits.sessionIdCharactersMax)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'must be letters, digits, and . _ : - inside')

const version = z.int().min(1)
const ttlMs = z.int().min(1000).max(limits.sessionTtlMsMax)

/** What a client that leaves in the middle of a turn leaves of it. */
export const onDisconnectSchema = z.enum(['rollback', 'keep', 'continue'])

/** How a job continues a session. The tenant comes from the signed token and from nowhere else. */
export const jobSessionSchema = z.strictObject({
  id: sessionIdSchema,
  /** The job's tokens follow those of the session; else they are the whole conversation. */
  append: z
    .strictObject({
      /** What ends a turn in this model's chat template: put in where the session lacks it. */
      turnEndIds: z.array(z.int().min(0)).max(limits.stopTokenIdsMax),
      /** `maxTokens` is only a bound: generate as many as the context has room for behind the history. */
      fillContext: z.boolean(),
    })
    .optional(),
  /** The turn is refused unless the session is at this version. */
  ifVersion: version.optional(),
  onDisconnect: onDisconnectSchema,
})

/** What a worker tells of a session: nothing of its content. */
export const sessionFactsSchema = z.object({
  id: sessionIdSchema,
  version,
  tokens: z.int().min(0),
  createdMs: milliseconds,
  updatedMs: milliseconds,
  expiresMs: milliseconds,
})

/** One call about sessions, as the edge signs it: the operation is part of what is signed. */
export const sessionCallSchema = z.discriminatedUnion('operation', [
  z.strictObject({
    operation: z.literal('create'),
    id: sessionIdSchema,
    ttlMs: ttlMs.optional(),
  }),
  z.strictObject({ operation: z.literal('get'), id: sessionIdSchema }),
  z.strictObject({
    operation: z.literal('list'),
    after: sessionIdSchema.optional(),
    count: z.int().min(1).max(limits.sessionsPageMax).optional(),
  }),
  z.strictObject({
    operation: z.literal('delete'),
    id: sessionIdSchema,
    ifVersion: version.optional(),
  }),
  z.strictObject({
    operation: z.literal('fork'),
    id: sessionIdSchema,
    newId: sessionIdSchema,
    ttlMs: ttlMs.optional(),
  }),
  /** The text of a turn ended before its job did, after this many tokens of the whole sequence. */
  z.strictObject({
    operation: z.literal('end-turn'),
    id: sessionIdSchema,
    jobId: z.string().max(limits.jobIdCharactersMax),
    tokens: z.int().min(1),
  }),
])

/** Every call is answered with the sessions it concerns; `delete` with none. */
export const sessionAnswerSchema = z.object({
  sessions: z.array(sessionFactsSchema).max(limits.sessionsPageMax),
  /** Of a list: the id to list after for more. */
  next: sessionIdSchema.optional(),
})

export type OnDisconnect = z.infer<typeof onDisconnectSchema>
export type JobSession = z.infer<typeof jobSessionSchema>
export type SessionFacts = z.infer<typeof sessionFactsSchema>
export type SessionCall = z.infer<typeof sessionCallSchema>
export type SessionAnswer = z.infer<typeof sessionAnswerSchema>
