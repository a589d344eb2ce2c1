import type { FinishReason, Job } from '@setblock/shared'
import { toApiError } from '../http/errors.ts'
import type { Bill, Tally } from '../metering/bill.ts'
import { follow, OVER } from '../stream/abortable.ts'
import type { SessionVersion, TextEvent, TextToken, TextUsage } from '../text/text-events.ts'
import type { TextReducer } from '../text/text-reducer.ts'
import type { RequestTrace } from '../tracing/request-trace.ts'
import type { WorkerClient } from '../workers/worker-client.ts'
import { interleave } from './interleave.ts'
import { sumUsage } from './usage.ts'

/** An event of one of the choices; `done` comes last, once, when all have ended. */
export type AnswerEvent =
  | { type: 'choice'; index: number; event: TextEvent }
  | { type: 'done'; usage: TextUsage; session?: SessionVersion }

/** The jobs of one request on their way through the workers. */
export interface Generation {
  /** Settles with the workers' verdict: all accepted, or one refused, with its ApiError. */
  readonly accepted: Promise<unknown>
  /** The text as it comes; to be read once. Rejects with an ApiError or the signal's reason. */
  readonly events: AsyncIterable<AnswerEvent>
}

export interface GenerationOptions {
  workers: WorkerClient
  /** One for each choice, in the order of their indices. */
  jobs: readonly Job[]
  tenant: string
  createReducer: (job: Job) => TextReducer
  /** Takes down what each job costs. */
  bill: Bill
  trace: RequestTrace
  /** Under which the worker's log knows the request. */
  requestId: string
  /** The request's: when it aborts, so do the jobs. */
  signal: AbortSignal
}

/** Opens a job for each choice. They live and die together: one that fails ends them all. */
export function startGeneration(options: GenerationOptions): Generation {
  const { workers, jobs, tenant, createReducer, bill, trace, requestId, signal } = options
  const together = new AbortController()
  follow(signal, together)
  const choices = jobs.map((job) =>
    startJob({
      workers,
      job,
      tenant,
      trace,
      requestId,
      reducer: createReducer(job),
      tally: bill.tally(),
      signal: together.signal,
    }),
  )
  const accepted = Promise.all(choices.map((choice) => choice.accepted))
  accepted.catch((error: unknown) => together.abort(error))

  async function* read(): AsyncGenerator<AnswerEvent> {
    const usages: TextUsage[] = []
    let session: SessionVersion | undefined
    try {
      for await (const { index, item } of interleave(choices.map(({ events }) => events))) {
        if (item.type === 'end') {
          usages[index] = item.usage
          session = item.session
        }
        yield { type: 'choice', index, event: item }
      }
      yield { type: 'done', usage: sumUsage(usages), ...(session && { session }) }
    } finally {
      together.abort(OVER)
    }
  }
  return { accepted, events: read() }
}

interface JobOptions extends Pick<GenerationOptions, 'trace' | 'requestId'> {
  workers: WorkerClient
  job: Job
  tenant: string
  reducer: TextReducer
  /** Counts what the job costs, however it ends. */
  tally: Tally
  signal: AbortSignal
}

function startJob({ workers, job, tenant, reducer, tally, trace, requestId, signal }: JobOptions) {
  const upstream = new AbortController()
  follow(signal, upstream)
  const span = trace.openJob({ 'setblock.job': job.id })
  const headers = { 'x-request-id': requestId, ...span.headers }
  const opened = workers.open(job, { tenant, headers, signal: upstream.signal })
  opened.catch((error: unknown) => span.end({ attributes: {}, failure: toApiError(error).code }))

  async function* read(): AsyncGenerator<TextEvent> {
    try {
      for await (const event of (await opened).events) {
        tally.see(event)
        const texts = reducer.push(event)
        for (const text of texts) if (text.type === 'end') tally.end(text.usage)
        // A stop string ends the job here, so the worker is told before the client is.
        if (reducer.ended) upstream.abort(OVER)
        yield* texts
        if (reducer.ended) return
        if (reducer.closedAt === undefined) continue
        // The stream stays open until then: to the worker a closed one is a client that left.
        yield reducer.endTurn(await closeTurn(reducer.closedAt))
        return
      }
    } finally {
      upstream.abort(OVER)
      span.end({ attributes: { 'gen_ai.usage.output_tokens': tally.completionTokens } })
    }
  }

  /** Tells the worker where the text of a session's turn ended; the turn is durable then. */
  async function closeTurn(tokens: number): Promise<SessionVersion> {
    const call = { operation: 'end-turn', id: job.session!.id, jobId: job.id, tokens } as const
    const { sessions } = await (await opened).session(call, { tenant, headers, signal })
    return { id: call.id, version: sessions[0]!.version }
  }
  return { accepted: opened, events: read() }
}

/** A whole choice, for clients that want no stream. */
export interface Choice {
  text: string
  finishReason: FinishReason
  /** In the order they came; empty unless reveals were asked for. */
  reveals: Extract<TextEvent, { type: 'reveal' }>[]
  /** Empty unless log probabilities were asked for. */
  tokens: TextToken[]
}

export interface Answer {
  choices: Choice[]
  usage: TextUsage
  /** What the turn has made of its session. */
  session?: SessionVersion
}

/** Reads a generation to its end. */
export async function collectAnswer(
  events: AsyncIterable<AnswerEvent>,
  choiceCount: number,
): Promise<Answer> {
  const choices = Array.from({ length: choiceCount }, createChoice)
  for await (const event of events) {
    if (event.type === 'done') {
      const { usage, session } = event
      return { choices, usage, ...(session && { session }) }
    }
    addToChoice(choices[event.index]!, event.event)
  }
  throw new Error('a generation without an end')
}

function createChoice(): Choice {
  return { text: '', finishReason: 'length', reveals: [], tokens: [] }
}

function addToChoice(choice: Choice, event: TextEvent): void {
  switch (event.type) {
    case 'start':
      break
    case 'reveal':
      choice.reveals.push(event)
      break
    case 'text':
      choice.text += event.delta
      choice.tokens.push(...(event.tokens ?? []))
      break
    case 'end':
      choice.finishReason = event.finishReason
      break
  }
}
