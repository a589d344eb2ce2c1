import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Objects of one page of a list: few, so that tests see pages. */
const PAGE_OBJECTS = 3

export interface S3Server {
  readonly endpoint: string
  readonly objects: Map<string, Buffer>
  close(): Promise<void>
}

/**
 * The part of the S3 protocol that a store needs, in memory: PUT with If-None-Match, GET, DELETE and
 * ListObjectsV2 in pages, path style. Signatures are asked for and not checked.
 */
export async function startS3Server(): Promise<S3Server> {
  const objects = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    void answer(objects, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function answer(
  objects: Map<string, Buffer>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url ?? '/', 'http://localhost')
  const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'))
  const refuse = (status: number, code: string) =>
    response.writeHead(status).end(`<Error><Code>${code}</Code></Error>`)
  if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ')) {
    refuse(403, 'AccessDenied')
  } else if (request.method === 'PUT') {
    const taken = objects.has(key)
    if (taken && request.headers['if-none-match'] === '*') refuse(412, 'PreconditionFailed')
    else {
      objects.set(key, unframed(Buffer.concat(chunks), request))
      response.writeHead(200, { etag: '"1"' }).end()
    }
  } else if (request.method === 'DELETE') {
    objects.delete(key)
    response.writeHead(204).end()
  } else if (url.searchParams.get('list-type') === '2') {
    response.writeHead(200, { 'content-type': 'application/xml' }).end(listPage(objects, url))
  } else {
    const object = objects.get(key)
    if (object === undefined) refuse(404, 'NoSuchKey')
    else response.writeHead(200).end(object)
  }
}

/** Clients may send a body in signed chunks: `<hex size>;...\r\n<bytes>\r\n`, then trailers. */
function unframed(body: Buffer, { headers }: IncomingMessage): Buffer {
  if (headers['content-encoding']?.includes('aws-chunked') !== true) return body
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

function listPage(objects: Map<string, Buffer>, url: URL): string {
  const prefix = url.searchParams.get('prefix') ?? ''
  const start = Number(url.searchParams.get('continuation-token') ?? 0)
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
  const page = keys.slice(start, start + PAGE_OBJECTS)
  const next = start + PAGE_OBJECTS
  const contents = page.map(
    (key) =>
      `<Contents><Key>${key}</Key><Size>${objects.get(key)!.length}</Size>` +
      `<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`,
  )
  const more = next < keys.length
  const token = more ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''
  return `<ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`
}
