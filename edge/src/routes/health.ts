import { Hono } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'

/** Two questions: is this process alive, and can a request be served now. */
export function healthRoutes({ workers }: EdgeDeps): Hono<EdgeBindings> {
  return new Hono<EdgeBindings>()
    .get('/healthz', (c) => c.json({ status: 'ok' }))
    .get('/readyz', async (c) => {
      const counts = await workers.readiness()
      const { ready } = counts
      const status = ready > 0 ? 'ready' : 'not-ready'
      return c.json({ status, workers: counts }, ready > 0 ? 200 : 503)
    })
}
