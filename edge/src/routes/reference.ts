import { Hono } from 'hono'
import type { Context } from 'hono'
import type { EdgeBindings } from '../deps.ts'
import { renderReference } from '../docs/page.ts'
import { REFERENCE_STYLE } from '../docs/style.ts'
import { createOpenApiDocument } from '../openapi/document.ts'
import type { OpenApiDocument } from '../openapi/document.ts'

const CACHE = { 'cache-control': 'public, max-age=300' }
const CSP_OF_REFERENCE =
  "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'"

/** The API's description, for programs and for people. Made when first asked for. */
export function referenceRoutes(): Hono<EdgeBindings> {
  let document: OpenApiDocument | undefined
  const describe = () => (document ??= createOpenApiDocument())
  const style = (c: Context) =>
    c.body(REFERENCE_STYLE, 200, { ...CACHE, 'content-type': 'text/css; charset=utf-8' })

  return new Hono<EdgeBindings>()
    .get('/openapi.json', (c) => c.json(describe(), 200, CACHE))
    .get('/docs', (c) => {
      // Not among the answer's own headers: there, what middleware has set wins.
      c.header('content-security-policy', CSP_OF_REFERENCE)
      return c.html(renderReference(describe()), 200, CACHE)
    })
    .get('/docs/style.css', style)
}
