import { Hono } from 'hono'
import type { Context } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readJsonBody } from '../http/json-body.ts'
import { parseChatRequest } from '../requests/chat-request.ts'
import { parseCompletionRequest } from '../requests/completion-request.ts'
import { parseNativeRequest } from '../requests/native-request.ts'
import { createChatForm } from '../responses/chat-form.ts'
import { createCompletionForm } from '../responses/completion-form.ts'
import { createNativeForm } from '../responses/native-form.ts'
import { respond } from './respond.ts'

/** The three ways to generate: OpenAI's two, and our own. */
export function generationRoutes(deps: EdgeDeps): Hono<EdgeBindings> {
  const readBody = (c: Context<EdgeBindings>) => readJsonBody(c.req.raw, deps.limits.bodyBytesMax)

  return new Hono<EdgeBindings>()
    .post('/chat/completions', async (c) => {
      const request = parseChatRequest(await readBody(c))
      return respond(c, deps, {
        request,
        idPrefix: 'chatcmpl',
        createForm: (identity) => createChatForm(identity, request),
      })
    })
    .post('/completions', async (c) => {
      const request = parseCompletionRequest(await readBody(c))
      return respond(c, deps, {
        request,
        idPrefix: 'cmpl',
        createForm: (identity) => createCompletionForm(identity, request),
      })
    })
    .post('/generate', async (c) => {
      const request = parseNativeRequest(await readBody(c))
      return respond(c, deps, {
        request,
        idPrefix: 'gen',
        createForm: (identity, job) =>
          createNativeForm(identity, { job, reveals: request.reveals }),
      })
    })
}
