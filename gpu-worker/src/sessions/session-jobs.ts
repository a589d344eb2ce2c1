import { ApiError, type EndEvent, type Job, type JobEvent, type JobSession } from '@setblock/shared'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import type { KvBlocks, Prefix } from './kv-blocks.ts'
import { SequenceText } from './sequence-text.ts'
import type { SessionModel } from './session-model.ts'
import type { SessionService, Turn } from './session-service.ts'
import type { SessionState } from './session-states.ts'

export interface SessionJobsOptions {
  readonly sessions: SessionService
  readonly blocks: KvBlocks
}

interface PreparedJobOptions {
  readonly tenant: string
  readonly model: SessionModel
  readonly blocks: KvBlocks
  readonly turn: Turn | undefined
  /** Told once the turn is over. */
  readonly onOver: (job: PreparedJob) => void
}

/** A job about to run: its whole sequence, and what is known of it. */
export class PreparedJob {
  /** `tokenIds` are the whole sequence, also where the client sent only the new turn. */
  readonly job: Job
  /** Keys and values of the sequence's first blocks. */
  readonly prefix: readonly KvBlock[]
  /** Where they came from. */
  readonly restoredFrom: Prefix['from']
  readonly #tenant: string
  readonly #model: SessionModel
  readonly #blocks: KvBlocks
  readonly #turn: Turn | undefined
  readonly #onOver: (job: PreparedJob) => void
  readonly #text: SequenceText
  /** Where the text ended, in tokens of the whole sequence, if it did before the job. */
  #textEnd = Number.POSITIVE_INFINITY

  constructor(job: Job, prefix: Prefix, options: PreparedJobOptions) {
    this.job = job
    this.prefix = prefix.blocks
    this.restoredFrom = prefix.from
    this.#tenant = options.tenant
    this.#model = options.model
    this.#blocks = options.blocks
    this.#turn = options.turn
    this.#onOver = options.onOver
    this.#text = new SequenceText(job.tokenIds)
  }

  /** Whether this is that job of that session. */
  is(tenant: string, { id, jobId }: { id: string; jobId: string }): boolean {
    return this.#tenant === tenant && this.job.session?.id === id && this.job.id === jobId
  }

  /** The text has ended there; what the job reveals beyond is not part of the turn. */
  endText(tokens: number): void {
    this.#textEnd = tokens
  }

  /** Whether the job goes on when its client leaves. */
  get outlivesClient(): boolean {
    return this.job.session?.onDisconnect === 'continue'
  }

  /** To be told every event of the job, before anyone else is. */
  observe(event: JobEvent): void {
    if (event.type === 'reveal') this.#text.add(event.positions, event.tokenIds)
  }

  /** Keys and values that the job has added behind the prefix. */
  keep(blocks: readonly KvBlock[]): void {
    const first = this.prefix.length
    const owner = { tenant: this.#tenant, kv: this.#model.kv }
    this.#blocks.keep(owner, this.#text.known(), { first, blocks })
  }

  /**
   * The job's end, once the turn is durable.
   * @throws ApiError `session_conflict` if another worker took the session meanwhile.
   */
  async finish(end: EndEvent): Promise<EndEvent> {
    try {
      if (this.#turn === undefined) return end
      const whole = this.job.tokenIds.length + end.usage.completionTokens
      const tokens = Math.min(whole, this.#textEnd)
      const { id, version } = await this.#turn.commit(this.#text.known().slice(0, tokens))
      return { ...end, session: { id, version } }
    } finally {
      this.#onOver(this)
    }
  }

  /**
   * The job ended without `finish`. A session that keeps what was revealed does so if the client
   * left in the middle; in every other case it is as it was before the turn.
   */
  async abandon(why: 'client-gone' | 'failed'): Promise<void> {
    const keeps = why === 'client-gone' && this.job.session?.onDisconnect === 'keep'
    try {
      const { length } = this.#text.known()
      if (length >= this.#textEnd) {
        await this.#turn?.commit(this.#text.known().slice(0, this.#textEnd))
      } else if (keeps) await this.#turn?.commit(this.#text.known())
      else this.#turn?.release()
    } finally {
      this.#onOver(this)
    }
  }
}

/** Makes a job that names a session, or shares a prefix with an earlier one, ready to run. */
export class SessionJobs {
  readonly #options: SessionJobsOptions
  /** Jobs whose turn is not over, and what resolves when it is. */
  readonly #open = new Map<PreparedJob, PromiseWithResolvers<void>>()

  constructor(options: SessionJobsOptions) {
    this.#options = options
  }

  /**
   * Makes a job of a model ready; whoever gets it must end it with `finish` or `abandon`.
   * @throws ApiError of the session, or `context_length_exceeded`.
   */
  async prepare(job: Job, tenant: string, model: SessionModel): Promise<PreparedJob> {
    const { sessions, blocks } = this.#options
    const { session } = job
    const turn = session && (await sessions.begin(tenant, { ...turnRequest(job, session), model }))
    try {
      const tokenIds = [...(turn?.tokenIds ?? job.tokenIds)]
      const maxTokens = fitTokens(job, tokenIds.length, model)
      const prefix = await blocks.load({ tenant, kv: model.kv }, tokenIds)
      return this.#track({ ...job, tokenIds, maxTokens }, prefix, { tenant, model, turn })
    } catch (error) {
      turn?.release()
      throw error
    }
  }

  /**
   * Ends a turn where its text has ended, whether its job is still running or not; `cancel` ends
   * the job. @returns the session as the turn leaves it
   */
  async endTurn(
    tenant: string,
    { id, jobId, tokens }: { id: string; jobId: string; tokens: number },
    cancel: (jobId: string) => void,
  ): Promise<SessionState> {
    const running = [...this.#open.keys()].find((job) => job.is(tenant, { id, jobId }))
    if (running !== undefined) {
      running.endText(tokens)
      cancel(jobId)
      await this.#open.get(running)?.promise
    }
    return this.#options.sessions.cutTurn(tenant, { id, turnId: jobId, tokens })
  }

  /** Resolves when every prepared job is over. */
  async settled(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ promise }) => promise))
  }

  #track(
    job: Job,
    prefix: Prefix,
    owner: Pick<PreparedJobOptions, 'tenant' | 'model' | 'turn'>,
  ): PreparedJob {
    const onOver = (over: PreparedJob): void => {
      this.#open.get(over)?.resolve()
      this.#open.delete(over)
    }
    const { blocks } = this.#options
    const prepared = new PreparedJob(job, prefix, { ...owner, blocks, onOver })
    this.#open.set(prepared, Promise.withResolvers())
    return prepared
  }
}

/** Tokens that the job may generate behind its whole sequence. @throws ApiError if it wants more */
function fitTokens(
  { maxTokens, session }: Job,
  length: number,
  { contextLength }: SessionModel,
): number {
  const room = contextLength - length
  if (maxTokens <= room) return maxTokens
  if (session?.append?.fillContext === true && room > 0) return room
  const text = `session: ${length} tokens and ${maxTokens} more exceed the context of ${contextLength}`
  throw new ApiError('context_length_exceeded', text, { param: 'session' })
}

function turnRequest({ id: turnId, tokenIds }: Job, { id, append, ifVersion }: JobSession) {
  return { id, turnId, tokenIds, turnEndIds: append?.turnEndIds, ifVersion }
}
