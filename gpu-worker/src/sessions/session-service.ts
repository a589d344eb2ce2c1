import { isDeepStrictEqual } from 'node:util'
import { ApiError, limits } from '@setblock/shared'
import { appended } from './appended.ts'
import type { SessionModel } from './session-model.ts'
import { SessionRoom } from './session-room.ts'
import type { SessionState, SessionStates } from './session-states.ts'
import { chooseDead } from './sweep.ts'

export interface SessionServiceOptions {
  readonly states: SessionStates
  /** Unix time in milliseconds that never jumps while the process lives. */
  readonly now: () => number
}

export interface NewSession {
  readonly id: string
  readonly ttlMs?: number | undefined
}

export interface ListPage {
  readonly sessions: readonly SessionState[]
  /** Id to list after for the next page; undefined on the last one. */
  readonly next: string | undefined
}

/** The one writer of a session for the time of a turn. */
export interface Turn {
  /** The whole sequence to continue, the prompt of this turn included. */
  readonly tokenIds: readonly number[]
  /** Makes the session what it is after the turn; durable once resolved. The turn is over then. */
  commit(tokenIds: readonly number[]): Promise<SessionState>
  /** Ends the turn as if it had not been. Does nothing after a commit. */
  release(): void
}

export interface TurnRequest {
  /** The job of the turn. */
  readonly turnId?: string | undefined
  readonly id: string
  /** The model of the turn. */
  readonly model: Pick<SessionModel, 'id' | 'tokenizerSha256'>
  readonly tokenIds: readonly number[]
  /**
   * Given if `tokenIds` follow what the session holds, behind these tokens where it does not end in
   * them already; else `tokenIds` are the whole conversation.
   */
  readonly turnEndIds?: readonly number[] | undefined
  /** The version that the client last saw. */
  readonly ifVersion?: number | undefined
}

/** Sessions of all tenants: created, read, forked, deleted, and continued by one writer at a time. */
export class SessionService {
  readonly #options: SessionServiceOptions
  /** Sessions in a turn of this process. Between processes the fence is the store's. */
  readonly #busy = new Set<string>()
  readonly #pruning = new Set<Promise<void>>()
  readonly #room: SessionRoom

  constructor(options: SessionServiceOptions) {
    this.#options = options
    this.#room = new SessionRoom({
      count: (tenant) => this.#countLiving(tenant),
      now: options.now,
    })
  }

  /** @throws ApiError `session_exists`, `session_limit_exceeded` */
  async create(
    tenant: string,
    { id, ttlMs = limits.sessionTtlMs }: NewSession,
  ): Promise<SessionState> {
    const before = await this.#options.states.load(tenant, id)
    if (before !== undefined && this.#lives(before)) {
      throw new ApiError('session_exists', `id: there is a session ${id} already`, { param: 'id' })
    }
    await this.#room.take(tenant)
    const state = this.#fresh(id, before, ttlMs)
    await this.#options.states.save(tenant, state)
    return state
  }

  /** @throws ApiError `session_not_found`, also for what has expired or was deleted. */
  async get(tenant: string, id: string): Promise<SessionState> {
    const state = await this.#options.states.load(tenant, id)
    if (state === undefined || !this.#lives(state)) throw notFound(id)
    return state
  }

  /** Living sessions in order of id. */
  async list(
    tenant: string,
    {
      after = '',
      count = limits.sessionsPageMax,
    }: { after?: string | undefined; count?: number | undefined },
  ): Promise<ListPage> {
    const all = await this.#options.states.all(tenant)
    const living = all
      .filter((state) => this.#lives(state) && state.id > after)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
    const sessions = living.slice(0, count)
    return { sessions, next: living.length > count ? sessions.at(-1)?.id : undefined }
  }

  /** Also of what cannot be read any more. @throws ApiError `session_not_found`, `session_busy`, `session_conflict` */
  async remove(tenant: string, id: string, ifVersion?: number): Promise<void> {
    await this.#alone(tenant, id, async () => {
      const state = await this.get(tenant, id).catch((error) => this.#remains(tenant, id, error))
      assertVersion(state, ifVersion)
      await this.#replace(tenant, state, { tokenIds: [], deleted: true })
    })
  }

  /** A new session with the same history; its keys and values are shared, not copied. */
  async fork(tenant: string, id: string, options: NewSession): Promise<SessionState> {
    const { tokenIds, model } = await this.get(tenant, id)
    const created = await this.create(tenant, options)
    return this.#replace(tenant, created, { tokenIds, model })
  }

  /**
   * Begins a turn; whoever gets it must commit or release it. A session that is named for the first
   * time is created, unless the turn builds on what it should hold. A turn that is part of the
   * session already begins where it began before.
   * @throws ApiError `session_busy`, `session_conflict`, `session_not_found`; `invalid_request` if
   * the session is another model's
   */
  async begin(tenant: string, request: TurnRequest): Promise<Turn> {
    const { id, tokenIds, turnEndIds, ifVersion, turnId } = request
    const model = { id: request.model.id, tokenizerSha256: request.model.tokenizerSha256 }
    const release = this.#occupy(tenant, id)
    try {
      const { states } = this.#options
      const before = await (turnId === undefined
        ? states.load(tenant, id)
        : states.loadBefore(tenant, id, turnId))
      const living = before !== undefined && this.#lives(before) ? before : undefined
      if (living === undefined && (turnEndIds !== undefined || ifVersion !== undefined))
        throw notFound(id)
      if (living === undefined) await this.#room.take(tenant)
      else assertContinues(living, { model, ifVersion })
      const base = living ?? this.#fresh(id, before, limits.sessionTtlMs)
      const from = living === undefined ? { ...base, version: base.version - 1 } : base
      return {
        tokenIds:
          turnEndIds === undefined ? tokenIds : appended(base.tokenIds, turnEndIds, tokenIds),
        commit: (after) =>
          this.#commit(tenant, from, { tokenIds: [...after], turnId, model }).finally(release),
        release,
      }
    } catch (error) {
      release()
      throw error
    }
  }

  /**
   * Cuts the last turn to where its text ended, if that turn made the session what it is.
   * @throws ApiError `session_not_found`, `session_busy`, `session_conflict`
   */
  async cutTurn(
    tenant: string,
    { id, turnId, tokens }: { id: string; turnId: string; tokens: number },
  ): Promise<SessionState> {
    return this.#alone(tenant, id, async () => {
      const state = await this.get(tenant, id)
      if (state.turnId !== turnId || state.tokenIds.length <= tokens) return state
      return this.#replace(tenant, state, { tokenIds: state.tokenIds.slice(0, tokens) })
    })
  }

  /** Resolves when the work behind the answers is done. */
  async flush(): Promise<void> {
    await Promise.all(this.#pruning)
  }

  /**
   * A turn may arrive twice: a worker that was given up on may have gone on with it. Where the same
   * turn has been stored with the same text, it counts once and for both.
   */
  async #commit(
    tenant: string,
    from: SessionState,
    change: Pick<SessionState, 'tokenIds' | 'turnId' | 'model'>,
  ): Promise<SessionState> {
    try {
      return await this.#replace(tenant, from, change)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'session_conflict') throw error
      const stored = await this.#options.states.load(tenant, from.id)
      const { turnId, tokenIds } = change
      const same = turnId !== undefined && stored?.turnId === turnId
      if (same && isDeepStrictEqual(stored.tokenIds, tokenIds)) return stored
      throw error
    }
  }

  async #replace(
    tenant: string,
    state: SessionState,
    change: Pick<SessionState, 'tokenIds'> & Partial<SessionState>,
  ): Promise<SessionState> {
    const { states, now } = this.#options
    const next = { ...state, ...change, version: state.version + 1, updatedMs: now() }
    await states.save(tenant, next)
    this.#behind(states.prune(tenant, next))
    return next
  }

  /** Goes on behind the answer: what is left over costs room and nothing else. */
  #behind(removal: Promise<void>): void {
    const pruning: Promise<void> = removal
      .catch(() => undefined)
      .finally(() => this.#pruning.delete(pruning))
    this.#pruning.add(pruning)
  }

  #fresh(id: string, before: SessionState | undefined, ttlMs: number): SessionState {
    const nowMs = this.#options.now()
    const version = (before?.version ?? 0) + 1
    return { id, version, createdMs: nowMs, updatedMs: nowMs, ttlMs, deleted: false, tokenIds: [] }
  }

  /** What is known of a session whose state is damaged, or sealed with a key that is lost. @throws `error` if that is no reason */
  async #remains(tenant: string, id: string, error: unknown): Promise<SessionState> {
    if (!(error instanceof ApiError) || error.code !== 'session_corrupt') throw error
    const version = await this.#options.states.newestVersion(tenant, id)
    if (version === undefined) throw notFound(id)
    return { ...this.#fresh(id, undefined, limits.sessionTtlMs), version }
  }

  #lives({ deleted, updatedMs, ttlMs }: SessionState): boolean {
    return !deleted && this.#options.now() - updatedMs < ttlMs
  }

  /** At most so many: only where that could be too many are they read. The dead are left out, and go: they would pile up. */
  async #countLiving(tenant: string): Promise<number> {
    const { states } = this.#options
    const stored = await states.count(tenant)
    if (stored < limits.sessionsPerTenantMax) return stored
    const all = await states.all(tenant)
    this.#behind(states.forget(tenant, chooseDead(all)))
    return all.filter((state) => this.#lives(state)).length
  }

  async #alone<Result>(tenant: string, id: string, work: () => Promise<Result>): Promise<Result> {
    const release = this.#occupy(tenant, id)
    try {
      return await work()
    } finally {
      release()
    }
  }

  #occupy(tenant: string, id: string): () => void {
    const key = JSON.stringify([tenant, id])
    if (this.#busy.has(key)) {
      throw new ApiError('session_busy', `session: ${id} is in a turn already`, {
        param: 'session',
      })
    }
    this.#busy.add(key)
    return () => this.#busy.delete(key)
  }
}

function notFound(id: string): ApiError {
  return new ApiError('session_not_found', `session: there is no ${id}`, { param: 'session' })
}

function assertVersion(state: SessionState, ifVersion: number | undefined): void {
  if (ifVersion === undefined || ifVersion === state.version) return
  const text = `session: ${state.id} is at version ${state.version}, not ${ifVersion}`
  throw new ApiError('session_conflict', text, { param: 'session' })
}

/** A session goes on with the model it began with, and nothing of it is read by another. */
function assertContinues(
  state: SessionState,
  { model, ifVersion }: Pick<TurnRequest, 'model' | 'ifVersion'>,
): void {
  const owner = state.model
  if (owner !== undefined && owner.id !== model.id) {
    const text = `model: session ${state.id} belongs to the model ${owner.id}`
    throw new ApiError('invalid_request', text, { param: 'model' })
  }
  if (owner !== undefined && owner.tokenizerSha256 !== model.tokenizerSha256) {
    const text = `session: the tokens of ${state.id} are those of another tokenizer`
    throw new ApiError('session_corrupt', text, { param: 'session' })
  }
  assertVersion(state, ifVersion)
}
