import { ApiError } from '@setblock/shared'
import { Hono } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { readBytes } from '../http/json-body.ts'

/** Where workers announce themselves; there is no such path unless `GPU_WORKERS` names `registry`. */
export function workerRegistryRoutes({ registration, limits }: EdgeDeps): Hono<EdgeBindings> {
  return new Hono<EdgeBindings>().post('/internal/workers', async (c) => {
    if (registration === undefined) throw new ApiError('not_found', 'there is nothing at this path')
    const body = await readBytes(c.req.raw, limits.announcementBytesMax)
    const signature = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1]
    const { url, outcome, leaseMs } = await registration.announce(body, signature)
    Object.assign(c.var.record, { worker: url, outcome })
    // Each worker renews every few seconds: only changes are worth a line.
    if (outcome === 'renewed') c.set('recordTaken', true)
    return c.json({ leaseMs })
  })
}
