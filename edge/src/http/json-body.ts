import { ApiError } from '@setblock/shared'

export interface JsonBodyLimits {
  bytesMax: number
  /** Objects and lists inside each other. */
  depthMax: number
}

/**
 * Reads a request's JSON body. Throws unsupported_media_type (also when it is compressed),
 * request_too_large, invalid_json (also when it is nested too deep), or aborted when the client
 * left.
 */
export async function readJsonBody(request: Request, limits: JsonBodyLimits): Promise<unknown> {
  const mediaType = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType !== 'application/json') {
    throw new ApiError('unsupported_media_type', 'send the body as content-type application/json')
  }
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity') {
    throw new ApiError('unsupported_media_type', 'send the body without a content-encoding')
  }
  const body = parseJson(await readBytes(request, limits.bytesMax))
  if (isDeeperThan(body, limits.depthMax)) {
    throw new ApiError('invalid_json', `the body is nested deeper than ${limits.depthMax}`)
  }
  return body
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's message quotes the body, so it is no cause to keep.
    throw new ApiError('invalid_json', 'the body is not valid JSON in UTF-8')
  }
}

/** Level by level: whatever walks the body later may do so by recursion. */
function isDeeperThan(value: unknown, depthMax: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; depth <= depthMax; depth++) {
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    )
    if (level.length === 0) return false
  }
  return true
}

/** Reads a request's body, at most `bytesMax` of it; throws request_too_large or aborted. */
export async function readBytes(
  request: Request,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new ApiError('request_too_large', `the body may have at most ${bytesMax} bytes`)
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  // Counted as it arrives: a chunked body announces no length, and an announced one may be wrong.
  const reader = request.body?.getReader()
  for (;;) {
    const next = await reader?.read().catch((cause: unknown) => {
      throw new ApiError('aborted', 'the body broke off', { cause })
    })
    if (next === undefined || next.done) break
    length += next.value.byteLength
    if (length > bytesMax) {
      void reader?.cancel().catch(() => undefined)
      throw tooLarge()
    }
    chunks.push(next.value)
  }
  return concatenate(chunks, length)
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}
