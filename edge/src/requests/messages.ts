import { limits } from '@setblock/shared'
import * as z from 'zod'
import { closedObject, neutral, textSchema } from './fields.ts'

/** Text, or the list form of it; the parts of a list are joined without anything between. */
const contentSchema = z.union(
  [
    textSchema,
    z
      .array(z.strictObject({ type: z.literal('text'), text: textSchema }))
      .min(1)
      .max(limits.messagesMax)
      .transform((parts) => parts.map((part) => part.text).join('')),
  ],
  { error: 'must be text or a list of {"type": "text", "text": ...} parts' },
)

const messageSchema = closedObject({
  role: z
    .enum(['system', 'developer', 'user', 'assistant'])
    .transform((role) => (role === 'developer' ? 'system' : role)),
  content: contentSchema,
  // What an answer of ours carries besides, so that it can be sent back as it came.
  refusal: neutral(),
  annotations: neutral([]),
  audio: neutral(),
  function_call: neutral(),
  tool_calls: neutral([]),
}).transform(({ role, content }) => ({ role, content }))

export const messagesSchema = z.array(messageSchema).min(1).max(limits.messagesMax)
