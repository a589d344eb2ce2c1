import { ApiError } from '@setblock/shared'
import { Hono } from 'hono'
import type { Context } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import type { PageFile } from '../page/page-source.ts'

/** What `/` says to those who do not ask for a page. */
const INDEX = {
  name: 'setblock',
  links: { docs: '/docs', openapi: '/openapi.json', models: '/v1/models', health: '/healthz' },
}

/** The page loads its own files and talks to its own origin, and that is all it may do. */
const CSP_OF_PAGE = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** The playground at `/` for browsers, and its files, whose names change with their content. */
export function pageRoutes({ page }: EdgeDeps): Hono<EdgeBindings> {
  return new Hono<EdgeBindings>()
    .get('/', async (c) => {
      c.header('vary', 'accept, accept-encoding')
      const asksForPage = c.req.header('accept')?.includes('text/html') ?? false
      const file = asksForPage ? await page.read('index.html') : undefined
      if (file === undefined) return c.json(INDEX)
      c.header('content-security-policy', CSP_OF_PAGE)
      c.header('cache-control', 'no-cache')
      return send(c, 'index.html', file)
    })
    .get('/assets/:name', async (c) => {
      const name = c.req.param('name')
      // A plain file name, so that no path leads out of the folder, on any platform.
      const file = /^\w[\w-]*(?:\.[\w-]+)+$/.test(name)
        ? await page.read(`assets/${name}`)
        : undefined
      if (file === undefined) throw new ApiError('not_found', 'there is nothing at this path')
      c.header('vary', 'accept-encoding')
      c.header('cache-control', 'public, max-age=31536000, immutable')
      return send(c, name, file)
    })
}

function send(c: Context<EdgeBindings>, name: string, { body, gzip }: PageFile): Response {
  const extension = name.slice(name.lastIndexOf('.') + 1)
  c.header('content-type', MEDIA_TYPES[extension] ?? 'application/octet-stream')
  const takesGzip = c.req.header('accept-encoding')?.includes('gzip') ?? false
  if (gzip === undefined || !takesGzip) return c.body(body)
  c.header('content-encoding', 'gzip')
  return c.body(gzip)
}
