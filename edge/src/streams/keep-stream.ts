import { ApiError, sha256Hex } from '@setblock/shared'
import type { Context, MiddlewareHandler } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { finishRecord } from '../http/finish-record.ts'
import { readBytes } from '../http/json-body.ts'
import { waitUntil } from '../http/wait-until.ts'
import { abortable, follow } from '../stream/abortable.ts'
import { ClientLost, relay } from '../stream/relay.ts'
import { sseFrame, SSE_HEADERS } from '../stream/sse.ts'
import { readEventId } from './event-id.ts'
import { recordAnswer } from './record-answer.ts'
import { isStream } from './run.ts'
import type { Run } from './run.ts'
import type { StreamHomes } from './stream-homes.ts'
import type { StreamHub } from './stream-hub.ts'

type EdgeContext = Context<EdgeBindings>

export const STREAM_ID_HEADER = 'x-setblock-stream-id'
export const RESUMABLE_HEADER = 'x-setblock-resumable'
export const REPLAYED_HEADER = 'idempotent-replayed'

/**
 * Makes the answers behind it repeatable: a request with an `Idempotency-Key` is generated once,
 * and a resumable one goes on for a while without its client. All others pass untouched.
 */
export function keepStream(deps: EdgeDeps): MiddlewareHandler<EdgeBindings> {
  return async function keepAnswer(c, next) {
    const wish = readWish(c, deps)
    if (wish.key === undefined && !wish.resumable) return next()
    const { tenant } = c.var.owner
    const { homes, random } = deps
    const given = homes.kind === 'here' ? homes.placeHeader : undefined
    const place =
      (given === undefined ? undefined : c.req.header(given)) ??
      (wish.key === undefined ? random.id() : await placeOf(tenant, wish.key))
    if (homes.kind === 'elsewhere') return passOn(c, homes, place)

    const bytes = await readBytes(c.req.raw, deps.limits.bodyBytesMax)
    const digest = await sha256Hex(`${c.req.path} ${await sha256Hex(bytes)}`)
    const known = homes.hub.find(place)
    const lastEventId = c.req.header('last-event-id')
    if (known !== undefined && !(known.state === 'failed' && lastEventId === undefined)) {
      checkRepeat(known, { owner: tenant, digest })
      return attach(c, deps, { hub: homes.hub, run: known })
    }
    if (known !== undefined) homes.hub.drop(known)
    if (lastEventId !== undefined) throw gone()
    const { storedAnswerMs, resumeGraceMs } = deps.limits
    const run = homes.hub.open({
      place,
      owner: tenant,
      digest,
      resumable: wish.resumable,
      keepMs: wish.key === undefined ? resumeGraceMs : storedAnswerMs,
    })
    return start(c, deps, { hub: homes.hub, run, bytes, next })
  }
}

/** Answers `GET /v1/streams/:id`: the answer from its beginning, or behind `Last-Event-ID`. */
export async function readStream(c: EdgeContext, deps: EdgeDeps, place: string): Promise<Response> {
  const { homes } = deps
  if (homes.kind === 'elsewhere') return passOn(c, homes, place)
  const run = findOwn(c, homes.hub, place)
  // Nobody reads on behalf of HEAD, so it must not count as a reader.
  if (c.req.method === 'HEAD') {
    const { status, contentType } = await abortable(run.opened, c.req.raw.signal)
    return new Response(null, { status, headers: { 'content-type': contentType } })
  }
  return attach(c, deps, { hub: homes.hub, run })
}

/** Answers `DELETE /v1/streams/:id`: ends the generation if it runs, and forgets the answer. */
export async function dropStream(c: EdgeContext, deps: EdgeDeps, place: string): Promise<Response> {
  const { homes } = deps
  if (homes.kind === 'elsewhere') return passOn(c, homes, place)
  homes.hub.drop(findOwn(c, homes.hub, place))
  return c.body(null, 204)
}

function findOwn(c: EdgeContext, hub: StreamHub, place: string): Run {
  const run = hub.find(place)
  if (run !== undefined && run.options.owner === c.var.owner.tenant) return run
  throw new ApiError('stream_not_found', 'there is no such stream, or no longer')
}

function readWish(c: EdgeContext, { limits }: EdgeDeps) {
  const key = c.req.header('idempotency-key')
  const charactersMax = limits.idempotencyKeyCharactersMax
  if (key !== undefined && (key.length > charactersMax || !/^[\x21-\x7e]+$/.test(key))) {
    const rule = `must have 1 to ${charactersMax} visible characters`
    throw new ApiError('invalid_request', `idempotency-key: ${rule}`, { param: 'idempotency-key' })
  }
  const resumable = c.req.header(RESUMABLE_HEADER) ?? 'false'
  if (resumable !== 'true' && resumable !== 'false') {
    throw new ApiError('invalid_request', `${RESUMABLE_HEADER}: must be true or false`, {
      param: RESUMABLE_HEADER,
    })
  }
  return { key, resumable: resumable === 'true' }
}

/** The place of a request that names a key: the same for the same tenant and key, else another. */
async function placeOf(tenant: string, key: string): Promise<string> {
  const PLACE_CHARACTERS = 32
  return (await sha256Hex(`${tenant} ${key}`)).slice(0, PLACE_CHARACTERS)
}

function passOn(
  c: EdgeContext,
  homes: StreamHomes & { kind: 'elsewhere' },
  place: string,
): Promise<Response> {
  // The object's own app writes the log line, under the id of this request.
  c.set('recordTaken', true)
  const headers = new Headers(c.req.raw.headers)
  headers.set('x-request-id', String(c.var.record['requestId']))
  return homes.send(place, new Request(c.req.raw, { headers }))
}

function checkRepeat(run: Run, { owner, digest }: { owner: string; digest: string }): void {
  if (run.options.owner === owner && run.options.digest === digest) return
  throw new ApiError(
    'idempotency_key_reused',
    'this idempotency-key came with another request before',
    { param: 'idempotency-key' },
  )
}

const gone = () =>
  new ApiError('events_expired', 'the events after last-event-id are no longer kept')

/** Runs the generation under the run's own switch, and makes its client the first reader. */
async function start(
  c: EdgeContext,
  deps: EdgeDeps,
  options: { hub: StreamHub; run: Run; bytes: Uint8Array<ArrayBuffer>; next: () => Promise<void> },
): Promise<Response> {
  const { hub, run, bytes, next } = options
  const { url, method, headers, signal } = c.req.raw
  const leave = hub.join(run)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  c.req.raw = new Request(url, { method, headers, body: bytes, signal: run.controller.signal })
  await next()
  const answer = c.res
  const recorded = recordAnswer(hub, run, answer)
  waitUntil(c, recorded)
  const kept = new Headers(answer.headers)
  kept.set(STREAM_ID_HEADER, run.options.place)
  const attached = await attach(c, deps, { hub, run, client: signal, headers: kept })
  leave()
  // Hono keeps the answer it has unless it is taken away first.
  c.res = undefined
  c.res = attached
  return attached
}

interface AttachOptions {
  hub: StreamHub
  run: Run
  /** Aborts when the client leaves; the request's own by default. */
  client?: AbortSignal
  /** Of the answer; those of a repeat by default. */
  headers?: Headers
}

/** The answer of a run as one more client gets it. */
async function attach(c: EdgeContext, deps: EdgeDeps, options: AttachOptions): Promise<Response> {
  const { hub, run } = options
  const client = options.client ?? c.req.raw.signal
  const controller = new AbortController()
  follow(client, controller, () => new ClientLost('client-gone'))
  const leave = hub.join(run)
  try {
    const head = await abortable(run.opened, controller.signal)
    const headers = options.headers ?? repeatHeaders(run)
    headers.set('content-type', head.contentType)
    for (const [name, value] of head.advice ?? []) headers.set(name, value)
    if (isStream(head)) {
      const after = startOf(c, run)
      c.set('recordTaken', true)
      const body = follower(c, deps, { run, after, controller, leave })
      for (const [name, value] of Object.entries(SSE_HEADERS)) headers.set(name, value)
      return new Response(body, { status: head.status, headers })
    }
    await abortable(run.ended, controller.signal)
    leave()
    headers.delete('content-length')
    return new Response(run.log.frames.join(''), { status: head.status, headers })
  } catch (error) {
    leave()
    throw error
  }
}

function repeatHeaders(run: Run): Headers {
  return new Headers({
    [STREAM_ID_HEADER]: run.options.place,
    [REPLAYED_HEADER]: 'true',
  })
}

/** The number of the last event that the client has. Throws when the next one is gone. */
function startOf(c: EdgeContext, run: Run): number {
  const header = c.req.header('last-event-id')
  if (header === undefined) {
    if (run.log.first > 1) throw gone()
    return 0
  }
  const { run: name, number } = readEventId(header)
  if (run.log.name !== undefined && run.log.name !== name) throw gone()
  if (number > run.log.length || number + 1 < run.log.first) throw gone()
  return number
}

function follower(
  c: EdgeContext,
  deps: EdgeDeps,
  options: { run: Run; after: number; controller: AbortController; leave: () => void },
): ReadableStream<Uint8Array> {
  const { run, after, controller, leave } = options
  const { clock, limits, metrics } = deps
  const { record } = c.var
  metrics.streamOpened('reader')
  const tooSlow = () =>
    new ApiError('reader_too_slow', 'the client reads too slowly to follow the stream')
  return relay({
    frames: run.log.follow(after, controller.signal, tooSlow),
    controller,
    // For every form of a stream: OpenAI clients look for `error`, ours for `type`.
    errorFrame: (error) => sseFrame({ type: 'error', ...ApiError.from(error).toEnvelope() }),
    onEnd({ how, bytes }) {
      leave()
      const durationMs = clock() - Number(record['at'])
      metrics.streamEnded('reader', how, durationMs)
      finishRecord(c, deps, {
        event: 'reader',
        stream: run.options.place,
        outcome: how,
        bytes,
        durationMs,
      })
    },
    waitUntil: (work) => waitUntil(c, work),
    now: clock,
    heartbeatMs: limits.heartbeatMs,
    stallMs: limits.stallMs,
  })
}
