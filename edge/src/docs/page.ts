import { ERRORS } from '@setblock/shared'
import { html } from 'hono/html'
import type { OpenApiDocument } from '../openapi/document.ts'
import { listFields, listNotOffered, nameOfReference } from './schema.ts'
import type { Field, Schema } from './schema.ts'

/** The part of an OpenAPI operation that the page shows. */
interface Operation {
  operationId: string
  summary?: string
  description?: string
  security?: unknown[]
  requestBody?: { content: Record<string, Media> }
  parameters?: { name: string; in: string; description?: string; schema?: Schema }[]
  responses: Record<string, { description: string; content?: Record<string, Media> }>
}

interface Media {
  schema?: Schema
  example?: unknown
  'x-event-schema'?: { $ref: string }
}

interface Route {
  method: string
  path: string
  operation: Operation
}

type Html = ReturnType<typeof html>
type Schemas = Readonly<Record<string, Schema>>

const METHODS = ['get', 'post', 'put', 'delete'] as const

/** The reference as one page without scripts: what the document says, in the same order. */
export function renderReference(document: OpenApiDocument): Html {
  const routes = listRoutes(document)
  const schemas = (document.components?.schemas ?? {}) as unknown as Schemas
  const { title, version, description } = document.info
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} API reference</title>
        <link rel="stylesheet" href="/docs/style.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <nav aria-label="Reference">${renderNavigation(title, routes, Object.keys(schemas))}</nav>
        <main id="content">
          <h1>${title} API <small>${version}</small></h1>
          <p>${inline(description ?? '')}</p>
          <p>The same as a document: <a href="/openapi.json">openapi.json</a>.</p>
          ${routes.map((route) => renderRoute(route, schemas))}
          <section id="errors">${renderErrors()}</section>
          <h2 id="schemas">Schemas</h2>
          ${Object.entries(schemas).map(([name, schema]) => renderSchema(name, schema))}
        </main>
      </body>
    </html>`
}

function listRoutes({ paths }: OpenApiDocument): Route[] {
  return Object.entries(paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method] as unknown as Operation | undefined
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }]
    }),
  )
}

function renderNavigation(title: string, routes: Route[], schemas: string[]): Html {
  return html`<p class="title"><a href="#content">${title}</a></p>
    <ul>
      ${routes.map(
        ({ method, path, operation }) =>
          html`<li>
            <a href="#${operation.operationId}"><span class="method">${method}</span> ${path}</a>
          </li>`,
      )}
      <li><a href="#errors">Errors</a></li>
      <li><a href="#schemas">Schemas</a></li>
    </ul>
    <ul class="minor">
      ${schemas.map((name) => html`<li><a href="#schema-${name}">${name}</a></li>`)}
    </ul>`
}

function renderRoute({ method, path, operation }: Route, schemas: Schemas): Html {
  const { operationId, summary, description, requestBody, responses, security } = operation
  const request = requestBody?.content['application/json']
  return html`<section id="${operationId}">
    <h2>${summary ?? operationId}</h2>
    <p class="route"><span class="method">${method}</span> <code>${path}</code></p>
    ${description === undefined ? '' : html`<p>${inline(description)}</p>`}
    ${security?.length === 0 ? html`<p>Needs no key.</p>` : ''} ${renderParameters(operation)}
    ${request === undefined ? '' : renderRequest(request, schemas)}
    ${request === undefined ? '' : renderCurl(method, path, request.example)}
    <h3>Responses</h3>
    <dl>
      ${Object.entries(responses).map(
        ([status, response]) =>
          html`<dt>${status}</dt>
            <dd>
              ${inline(response.description)}
              ${Object.entries(response.content ?? {}).map(([type, media]) =>
                Number(status) < 400 ? renderMedia(type, media) : '',
              )}
            </dd>`,
      )}
    </dl>
  </section>`
}

function renderParameters({ parameters = [] }: Operation): Html | string {
  if (parameters.length === 0) return ''
  const fields = parameters.map((parameter) => ({
    path: parameter.name,
    type: `in ${parameter.in}`,
    required: parameter.in === 'path',
    description: parameter.description ?? parameter.schema?.description ?? '',
  }))
  return html`<h3>Parameters</h3>
    ${renderFields(fields)}`
}

function renderRequest({ schema }: Media, schemas: Schemas): Html {
  const resolved = resolve(schema, schemas)
  const notOffered = listNotOffered(resolved)
  return html`<h3>Body</h3>
    ${renderFields(listFields(resolved))}
    ${
      notOffered.length === 0
        ? ''
        : html`<p>
            Known and not offered, so accepted only with a value that has no effect:
            ${notOffered.map((name) => html`<code>${name}</code> `)}
          </p>`
    }`
}

function renderMedia(type: string, media: Media): Html {
  const reference = media['x-event-schema']?.$ref ?? media.schema?.$ref
  const description = media.schema?.description
  return html`<p>
      <code>${type}</code>
      ${reference === undefined ? '' : renderType(`#${nameOfReference(reference)}`)}
    </p>
    ${description === undefined ? '' : html`<p>${inline(description)}</p>`}
    ${media.example === undefined ? '' : renderJson(media.example, 'An answer')}`
}

function renderCurl(method: string, path: string, example: unknown): Html | string {
  if (example === undefined) return ''
  const body = JSON.stringify(example, undefined, 2).replaceAll("'", String.raw`'\''`)
  const lines = [
    `curl -N -X ${method} "$SETBLOCK_URL${path}"`,
    `  -H "Authorization: Bearer $SETBLOCK_KEY"`,
    `  -H 'Content-Type: application/json'`,
    `  -d '${body}'`,
  ]
  return html`<pre tabindex="0" aria-label="A request"><code>${lines.join(' \\\n')}</code></pre>`
}

function renderJson(value: unknown, label: string): Html {
  const json = JSON.stringify(value, undefined, 2)
  return html`<details>
    <summary>${label}</summary>
    <pre tabindex="0" aria-label="${label}"><code>${json}</code></pre>
  </details>`
}

function renderErrors(): Html {
  return html`<h2>Errors</h2>
    <p>
      Every error has the envelope ${renderType('#Error')} and an ${inline('`x-should-retry`')}
      header. After the headers of a stream are out, it is the stream’s last event.
    </p>
    <div class="table" tabindex="0" role="region" aria-label="Errors">
      <table>
        <thead>
          <tr>
            <th scope="col">code</th>
            <th scope="col">status</th>
            <th scope="col">type</th>
            <th scope="col">retry</th>
          </tr>
        </thead>
        <tbody>
          ${Object.entries(ERRORS).map(
            ([code, { status, type, retryable }]) =>
              html`<tr>
                <td><code>${code}</code></td>
                <td>${status}</td>
                <td>${type}</td>
                <td>${retryable ? 'yes' : 'no'}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`
}

function renderSchema(name: string, schema: Schema): Html {
  const variants = schema.oneOf ?? schema.anyOf ?? []
  return html`<section id="schema-${name}">
    <h3>${name}</h3>
    ${schema.description === undefined ? '' : html`<p>${inline(schema.description)}</p>`}
    ${variants.length === 0 ? renderFields(listFields(schema)) : variants.map(renderVariant)}
  </section>`
}

function renderVariant(schema: Schema): Html {
  const title = schema.properties?.['type']?.const
  return html`${typeof title === 'string' ? html`<h4>${title}</h4>` : ''}
  ${renderFields(listFields(schema))}`
}

function renderFields(fields: readonly Field[]): Html {
  return html`<div class="fields">
    ${fields.map(
      ({ path, type, required, description }) =>
        html`<div class="field">
          <code>${path}</code> <span class="type">${renderType(type)}</span>
          ${required ? html`<span class="required">required</span>` : ''}
          ${description === '' ? '' : html`<p>${inline(description)}</p>`}
        </div>`,
    )}
  </div>`
}

/** `#Name` becomes a link to the schema of that name. */
function renderType(type: string): Html[] {
  return type
    .split(/(#\w+)/)
    .map((part) =>
      part.startsWith('#')
        ? html`<a href="#schema-${part.slice(1)}">${part.slice(1)}</a>`
        : html`${part}`,
    )
}

/** Text with `code` in backquotes. */
function inline(text: string): Html[] {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))
}

function resolve(schema: Schema | undefined, schemas: Schemas): Schema {
  if (schema?.$ref === undefined) return schema ?? {}
  return schemas[nameOfReference(schema.$ref)] ?? {}
}
