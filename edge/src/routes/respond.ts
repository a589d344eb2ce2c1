import { ApiError } from '@setblock/shared'
import type { Job } from '@setblock/shared'
import type { Context } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'
import { collectAnswer, startGeneration } from '../generation/generation.ts'
import type { AnswerEvent, Generation } from '../generation/generation.ts'
import { describeJobs, observe } from '../generation/job-record.ts'
import { planJobs } from '../generation/plan-job.ts'
import { finishRecord } from '../http/finish-record.ts'
import { describeError, toApiError } from '../http/errors.ts'
import { waitUntil } from '../http/wait-until.ts'
import { openBill } from '../metering/bill.ts'
import type { Bill } from '../metering/bill.ts'
import type { EdgeModel } from '../models/model-source.ts'
import type { GenerationRequest } from '../requests/generation-request.ts'
import type { AnswerForm, FormOptions } from '../responses/answer-form.ts'
import { follow } from '../stream/abortable.ts'
import { ClientLost, relay } from '../stream/relay.ts'
import { sseFrame, SSE_HEADERS } from '../stream/sse.ts'
import { createNumbering } from '../streams/event-id.ts'
import { readAhead } from '../streams/read-ahead.ts'
import { TextReducer } from '../text/text-reducer.ts'

type EdgeContext = Context<EdgeBindings>

export interface RespondOptions {
  request: GenerationRequest
  /** What the answer's id begins with. */
  idPrefix: string
  createForm(this: void, options: FormOptions): AnswerForm
}

/** A checked request to its answer: the whole life of a generation at the edge. */
export async function respond(
  c: EdgeContext,
  deps: EdgeDeps,
  { request, idPrefix, createForm }: RespondOptions,
): Promise<Response> {
  const model = await deps.models.find(request.model)
  if (model === undefined) {
    throw new ApiError('model_not_found', `model: there is no ${request.model} here`, {
      param: 'model',
    })
  }
  const { limits, random } = deps
  const id = `${idPrefix}-${random.id()}`
  const seed = random.seed()
  const jobs = c.var.trace.within('tokenize', () => planJobs({ request, model, limits, id, seed }))
  Object.assign(c.var.record, describeJobs(jobs), { stream: request.stream })
  const bill = await openBill(c, deps, { jobs, bounded: request.maxTokens !== undefined })
  try {
    return await generate(c, deps, { request, id, jobs, model, bill, createForm })
  } catch (error) {
    bill.close(toApiError(error).code)
    throw error
  }
}

async function generate(
  c: EdgeContext,
  deps: EdgeDeps,
  options: Pick<RespondOptions, 'request' | 'createForm'> & {
    id: string
    jobs: readonly Job[]
    model: EdgeModel
    bill: Bill
  },
): Promise<Response> {
  const { request, id, jobs, model, bill, createForm } = options
  const { limits, clock } = deps
  // The one switch of this request: a lost client turns it, and it ends the jobs.
  const controller = new AbortController()
  follow(c.req.raw.signal, controller, () => new ClientLost('client-gone'))
  const generation = startGeneration({
    workers: deps.workers,
    jobs,
    tenant: c.var.owner.tenant,
    createReducer: (job) => createReducer(job, request, model),
    bill,
    trace: c.var.trace,
    requestId: String(c.var.record['requestId']),
    signal: controller.signal,
  })
  const events = observe(generation.events, c.var.record, deps)
  const created = Math.floor(clock() / 1000)
  const { includeUsage, reveals } = request
  const form = createForm({ id, created, model, jobs, includeUsage, reveals })
  if (!request.stream) {
    const answer = await collectAnswer(events, jobs.length)
    bill.close('done')
    return c.json(form.whole(answer) as object)
  }
  await acceptedOrLate(generation, limits.headersGraceMs)
  return stream(c, deps, { id, controller, form, bill, events })
}

function createReducer(job: Job, request: GenerationRequest, { tokenizer }: EdgeModel) {
  return new TextReducer({
    promptTokens: job.session?.append === undefined ? job.tokenIds.length : undefined,
    maxTokens: job.maxTokens,
    stopTokenIds: job.stopTokenIds,
    stopStrings: request.stopStrings,
    closesTurn: job.session !== undefined,
    reveals: request.reveals,
    // Reveals carry their own.
    logprobs: request.logprobs !== undefined && !request.reveals,
    bytesOf: tokenizer.bytesOf,
  })
}

/** Resolves once all jobs are accepted or `graceMs` are over; rejects if one is refused before. */
async function acceptedOrLate({ accepted }: Generation, graceMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs)
  })
  try {
    await Promise.race([accepted, late])
  } finally {
    clearTimeout(timer)
  }
}

async function* toFrames(
  form: AnswerForm,
  events: AsyncIterable<AnswerEvent>,
  number: (frame: string) => string,
): AsyncGenerator<string> {
  const frames = (payloads: unknown[]) =>
    payloads.map((payload) => number(sseFrame(payload))).join('')
  const opening = frames(form.opening())
  if (opening !== '') yield opening
  for await (const event of events) {
    const text = frames(form.payloads(event))
    if (text !== '') yield text
  }
  if (form.closing !== '') yield number(form.closing)
}

function stream(
  c: EdgeContext,
  deps: EdgeDeps,
  options: {
    id: string
    controller: AbortController
    form: AnswerForm
    bill: Bill
    events: AsyncIterable<AnswerEvent>
  },
): Response {
  const { id, controller, form, bill, events } = options
  const { limits, clock, metrics } = deps
  const number = createNumbering(id)
  const { record } = c.var
  c.set('recordTaken', true)
  metrics.streamOpened('answer')
  const body = relay({
    // Ahead of the client, so that one that rests does not hold up its job.
    frames: readAhead(toFrames(form, events, number), limits.readAheadCharactersMax),
    controller,
    errorFrame: (error) => number(sseFrame(form.failure(toApiError(error)))),
    onEnd({ how, bytes, error }) {
      bill.close(how === 'failed' ? toApiError(error).code : how)
      const failure = error === undefined ? {} : describeError(error)
      const durationMs = clock() - Number(record['at'])
      if (how === 'failed') metrics.failed(toApiError(error).code)
      metrics.streamEnded('answer', how, durationMs)
      finishRecord(c, deps, { ...failure, outcome: how, bytes, durationMs })
    },
    waitUntil: (work) => waitUntil(c, work),
    now: clock,
    heartbeatMs: limits.heartbeatMs,
    stallMs: limits.stallMs,
  })
  return c.body(body, 200, SSE_HEADERS)
}
