import { ApiError, type EndEvent, type Job, type JobEvent, type JobSession } from '@setblock/shared'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import type { KvBlocks } from './kv-blocks.ts'
import { SequenceText } from './sequence-text.ts'
import type { SessionService, Turn } from './session-service.ts'

export interface SessionJobsOptions {
  readonly sessions: SessionService
  readonly blocks: KvBlocks
  readonly contextLength: number
}

interface PreparedJobOptions {
  readonly tenant: string
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
  readonly #tenant: string
  readonly #blocks: KvBlocks
  readonly #turn: Turn | undefined
  readonly #onOver: (job: PreparedJob) => void
  readonly #text: SequenceText

  constructor(job: Job, prefix: readonly KvBlock[], options: PreparedJobOptions) {
    this.job = job
    this.prefix = prefix
    this.#tenant = options.tenant
    this.#blocks = options.blocks
    this.#turn = options.turn
    this.#onOver = options.onOver
    this.#text = new SequenceText(job.tokenIds)
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
    this.#blocks.keep(this.#tenant, this.#text.known(), { first, blocks })
  }

  /**
   * The job's end, once the turn is durable.
   * @throws ApiError `session_conflict` if another worker took the session meanwhile.
   */
  async finish(end: EndEvent): Promise<EndEvent> {
    try {
      if (this.#turn === undefined) return end
      const tokens = this.job.tokenIds.length + end.usage.completionTokens
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
      if (keeps) await this.#turn?.commit(this.#text.known())
      else this.#turn?.release()
    } finally {
      this.#onOver(this)
    }
  }
}

/** Makes a job that names a session, or shares a prefix with an earlier one, ready to run. */
export class SessionJobs {
  readonly #options: SessionJobsOptions
  readonly #open = new Set<PreparedJob>()
  #settled: (() => void) | undefined

  constructor(options: SessionJobsOptions) {
    this.#options = options
  }

  /**
   * Whoever gets it must end it with `finish` or `abandon`.
   * @throws ApiError of the session, or `context_length_exceeded`.
   */
  async prepare(job: Job, tenant: string): Promise<PreparedJob> {
    const { sessions, blocks } = this.#options
    const { session } = job
    const turn = session && (await sessions.begin(tenant, turnRequest(job, session)))
    try {
      const tokenIds = [...(turn?.tokenIds ?? job.tokenIds)]
      this.#assertFits(tokenIds, job)
      const prefix = await blocks.load(tenant, tokenIds)
      return this.#track({ ...job, tokenIds }, prefix.blocks, { tenant, turn })
    } catch (error) {
      turn?.release()
      throw error
    }
  }

  /** Resolves when every prepared job is over. */
  async settled(): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>((resolve) => {
      this.#settled = resolve
    })
  }

  #track(
    job: Job,
    prefix: readonly KvBlock[],
    owner: Pick<PreparedJobOptions, 'tenant' | 'turn'>,
  ): PreparedJob {
    const onOver = (over: PreparedJob): void => {
      this.#open.delete(over)
      if (this.#open.size === 0) this.#settled?.()
    }
    const { blocks } = this.#options
    const prepared = new PreparedJob(job, prefix, { ...owner, blocks, onOver })
    this.#open.add(prepared)
    return prepared
  }

  #assertFits(tokenIds: readonly number[], { maxTokens }: Job): void {
    const { contextLength } = this.#options
    if (tokenIds.length + maxTokens <= contextLength) return
    const text = `session: ${tokenIds.length} tokens and ${maxTokens} more exceed the context of ${contextLength}`
    throw new ApiError('context_length_exceeded', text, { param: 'session' })
  }
}

function turnRequest({ tokenIds }: Job, { id, append, ifVersion }: JobSession) {
  return { id, tokenIds, turnEndIds: append?.turnEndIds, ifVersion }
}
