import { Hono } from 'hono'
import type { Context } from 'hono'
import { requireScope } from '../auth/require-key.ts'
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
  const { bodyBytesMax: bytesMax, jsonDepthMax: depthMax } = deps.limits
  const readBody = (c: Context<EdgeBindings>) => readJsonBody(c.req.raw, { bytesMax, depthMax })

  return new Hono<EdgeBindings>()
    .post('/chat/completions', requireScope('generate'), async (c) => {
      const request = parseChatRequest(await readBody(c))
      return respond(c, deps, { request, idPrefix: 'chatcmpl', createForm: createChatForm })
    })
    .post('/completions', requireScope('generate'), async (c) => {
      const request = parseCompletionRequest(await readBody(c))
      return respond(c, deps, { request, idPrefix: 'cmpl', createForm: createCompletionForm })
    })
    .post('/generate', requireScope('generate'), async (c) => {
      const request = parseNativeRequest(await readBody(c))
      return respond(c, deps, { request, idPrefix: 'gen', createForm: createNativeForm })
    })
}
