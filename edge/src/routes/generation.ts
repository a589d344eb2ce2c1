import { Hono } from 'hono'
import type { Context } from 'hono'
import { requireScope } from '../auth/require-key.ts'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readJsonBody } from '../http/json-body.ts'
import { parseChatRequest } from '../requests/chat-request.ts'
import { parseCompletionRequest } from '../requests/completion-request.ts'
import type { GenerationRequest } from '../requests/generation-request.ts'
import { withSessionHeaders } from '../requests/session-request.ts'
import { parseNativeRequest } from '../requests/native-request.ts'
import { createChatForm } from '../responses/chat-form.ts'
import { createCompletionForm } from '../responses/completion-form.ts'
import { createNativeForm } from '../responses/native-form.ts'
import { dropStream, keepStream, readStream } from '../streams/keep-stream.ts'
import { respond } from './respond.ts'

/** The three ways to generate: OpenAI's two, and our own. */
export function generationRoutes(deps: EdgeDeps): Hono<EdgeBindings> {
  const { bodyBytesMax: bytesMax, jsonDepthMax: depthMax } = deps.limits
  const readBody = (c: Context<EdgeBindings>) => {
    // Before the body: what will be refused shall cost next to nothing.
    deps.workers.assertRoom()
    return readJsonBody(c.req.raw, { bytesMax, depthMax })
  }

  const allowed = requireScope('generate')
  const kept = keepStream(deps)

  return new Hono<EdgeBindings>()
    .post('/chat/completions', allowed, kept, async (c) => {
      const request = withHeaders(c, parseChatRequest(await readBody(c)))
      return respond(c, deps, { request, idPrefix: 'chatcmpl', createForm: createChatForm })
    })
    .post('/completions', allowed, kept, async (c) => {
      const request = withHeaders(c, parseCompletionRequest(await readBody(c)))
      return respond(c, deps, { request, idPrefix: 'cmpl', createForm: createCompletionForm })
    })
    .post('/generate', allowed, kept, async (c) => {
      const request = withHeaders(c, parseNativeRequest(await readBody(c)))
      return respond(c, deps, { request, idPrefix: 'gen', createForm: createNativeForm })
    })
    .get('/streams/:id', allowed, (c) => readStream(c, deps, c.req.param('id')))
    .delete('/streams/:id', allowed, (c) => dropStream(c, deps, c.req.param('id')))
}

function withHeaders(c: Context<EdgeBindings>, request: GenerationRequest): GenerationRequest {
  return { ...request, session: withSessionHeaders(request.session, (name) => c.req.header(name)) }
}
