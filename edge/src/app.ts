import { ApiError } from '@setblock/shared'
import { Hono } from 'hono'
import { requireKey } from './auth/require-key.ts'
import type { EdgeBindings, EdgeDeps } from './deps.ts'
import { allowOrigins } from './http/cors.ts'
import { errorResponse } from './http/errors.ts'
import { requestLog } from './http/request-log.ts'
import { securityHeaders } from './http/security-headers.ts'
import { accountRoutes } from './routes/account.ts'
import { adminKeyRoutes } from './routes/admin-keys.ts'
import { generationRoutes } from './routes/generation.ts'
import { healthRoutes } from './routes/health.ts'
import { modelRoutes } from './routes/models.ts'
import { pageRoutes } from './routes/page.ts'
import { referenceRoutes } from './routes/reference.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { workerRegistryRoutes } from './routes/worker-registry.ts'

/** What each path is asked with; any other method gets a 405 that says so. */
export const METHODS: Readonly<Record<string, string>> = {
  '/': 'GET, HEAD',
  '/assets/:name': 'GET, HEAD',
  '/healthz': 'GET, HEAD',
  '/readyz': 'GET, HEAD',
  '/openapi.json': 'GET, HEAD',
  '/docs': 'GET, HEAD',
  '/docs/style.css': 'GET, HEAD',
  '/v1/models': 'GET, HEAD',
  '/v1/models/:id': 'GET, HEAD',
  '/v1/chat/completions': 'POST',
  '/v1/completions': 'POST',
  '/v1/generate': 'POST',
  '/v1/streams/:id': 'GET, HEAD, DELETE',
  '/v1/tokens': 'POST',
  '/v1/usage': 'GET, HEAD',
  '/v1/admin/keys': 'GET, HEAD, POST',
  '/v1/admin/keys/:id': 'DELETE',
  '/v1/sessions': 'GET, HEAD, POST',
  '/v1/sessions/:id': 'GET, HEAD, DELETE',
  '/v1/sessions/:id/fork': 'POST',
  '/internal/workers': 'POST',
}

/** The edge as a web-standard handler, the same on every platform. */
export function createApp(deps: EdgeDeps): Hono<EdgeBindings> {
  const app = new Hono<EdgeBindings>()
  app.onError((error, c) => errorResponse(c, error, deps.metrics))
  app.notFound((c) =>
    errorResponse(c, new ApiError('not_found', 'there is nothing at this path'), deps.metrics),
  )
  app.use(requestLog(deps, new Set(Object.keys(METHODS))))
  app.use(securityHeaders())
  app.use(allowOrigins(deps.corsOrigins))
  app.use('/v1/*', requireKey(deps))

  app.route('/', pageRoutes(deps))
  app.route('/', healthRoutes(deps))
  app.route('/', referenceRoutes())
  app.route('/', workerRegistryRoutes(deps))
  app.route('/v1', modelRoutes(deps))
  app.route('/v1', generationRoutes(deps))
  app.route('/v1', accountRoutes(deps))
  app.route('/v1', adminKeyRoutes(deps))
  app.route('/v1', sessionRoutes(deps))

  for (const [path, methods] of Object.entries(METHODS)) {
    app.all(path, (c) => {
      c.header('allow', methods)
      throw new ApiError('method_not_allowed', `use ${methods} here`)
    })
  }
  return app
}
