import { createHash } from 'node:crypto'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job, JobEvent, SessionFacts } from '@setblock/shared'
import { damageFile, filesBelow, flipBit } from './damage.ts'
import { settleOpenTurn, textOf, type Counts, type KnownSession } from './ledger.ts'
import type { Random } from './random.ts'
import { Refused, WorkerProcess } from './worker-process.ts'

const TURN_TOKENS = 8
/** A session grows by two turns' tokens each time and is given up before the context is full. */
const SESSION_TOKENS_MAX = 400
const TENANTS = ['red', 'green', 'blue']
const KILL_DELAY_MS_MAX = 30
/** Small, so that blocks are evicted all the time. */
const DISK_MB = 4
const FIRST_WORD = 300
const WORDS = 3000

export interface RoundOptions {
  readonly modelFolder: string
  readonly model: string
  readonly folder: string
  readonly sessions: number
  readonly precision?: 'int8' | 'fp32'
}

/**
 * Sessions of several tenants, continued by workers that are killed at any moment over a folder
 * that is damaged between their lives. Everything that was acknowledged is known here, and every
 * text is checked against a worker that has no memory.
 */
export class SessionRounds {
  readonly #options: RoundOptions
  readonly #random: Random
  readonly #counts: Counts
  #sessions: KnownSession[] = []
  #serial = 0

  constructor(options: RoundOptions, random: Random, counts: Counts) {
    this.#options = options
    this.#random = random
    this.#counts = counts
  }

  /** One life of a worker. */
  async round(oracle: WorkerProcess, precision: 'int8' | 'fp32' = 'int8'): Promise<void> {
    const { modelFolder, folder, sessions } = this.#options
    while (this.#sessions.length < sessions) this.#sessions.push(this.#newSession())
    const worker = await WorkerProcess.start({ modelFolder, folder, precision, diskMb: DISK_MB })
    this.#counts.rounds += 1
    try {
      await this.#settleAll(worker)
      await this.#intrude(worker)
      const kill = this.#random.chance(0.8) ? this.#planKill(worker) : () => undefined
      await Promise.all(this.#sessions.map((each) => this.#turn(worker, oracle, each).then(kill)))
    } finally {
      await worker.stop()
    }
    this.#sessions = this.#sessions.filter(({ tokenIds }) => tokenIds.length < SESSION_TOKENS_MAX)
  }

  /** Called for every turn that is over: kills the worker around one of them, while others run. */
  #planKill(worker: WorkerProcess): () => void {
    let turnsLeft = this.#random.below(this.#sessions.length + 1)
    const delayMs = this.#random.below(KILL_DELAY_MS_MAX)
    const kill = async (): Promise<void> => {
      await sleep(delayMs)
      this.#counts.kills += 1
      await worker.kill()
    }
    if (turnsLeft === 0) void kill()
    return () => {
      turnsLeft -= 1
      if (turnsLeft === 0) void kill()
    }
  }

  /** A turn of a few sessions chosen at random, unchecked: for those who watch the worker itself. */
  async someTurns(worker: WorkerProcess): Promise<void> {
    while (this.#sessions.length < this.#options.sessions) this.#sessions.push(this.#newSession())
    const chosen = new Set(Array.from({ length: 6 }, () => this.#random.pick(this.#sessions)))
    await Promise.all([...chosen].map((session) => this.#turn(worker, undefined, session)))
    this.#sessions = this.#sessions.filter(({ tokenIds }) => tokenIds.length < SESSION_TOKENS_MAX)
  }

  /** Breaks some blocks of keys and values, and now and then the newest state of a session. */
  async damage(): Promise<void> {
    const { folder } = this.#options
    const blocks = await filesBelow(path.join(folder, 'kv'))
    for (const file of blocks) {
      if (!this.#random.chance(0.1)) continue
      await damageFile(file, this.#random)
      this.#counts.damagedBlocks += 1
    }
  }

  /** Damages the newest state of one session, and checks that it is refused and never an older one served. */
  async damageState(): Promise<void> {
    const { modelFolder, folder } = this.#options
    const stored = this.#sessions.filter(({ version }) => version > 0)
    if (stored.length === 0) return
    const { tenant, id } = this.#random.pick(stored)
    const versions = await filesBelow(path.join(folder, 'sessions', digest(tenant), digest(id)))
    await flipBit(versions.at(-1)!, this.#random.below(8 * 80))
    this.#counts.damagedStates += 1
    const worker = await WorkerProcess.start({ modelFolder, folder })
    try {
      const left: KnownSession[] = []
      for (const session of this.#sessions) {
        const code = await codeOf(worker.call({ operation: 'get', id: session.id }, session.tenant))
        if (code === 'session_corrupt') this.#counts.refusedDamaged += 1
        else left.push(session)
      }
      this.#sessions = left
    } finally {
      await worker.stop()
    }
  }

  #newSession(): KnownSession {
    this.#serial += 1
    const tenant = this.#random.pick(TENANTS)
    return { tenant, id: `s${this.#serial}`, version: 0, tokenIds: [], openTurn: undefined }
  }

  /** A turn that was cut off has the text that its own worker's graph gives; the next one may have another. */
  async #settleAll(worker: WorkerProcess): Promise<void> {
    for (const session of this.#sessions) {
      const facts = await readFacts(worker, session)
      const { oracle, job, sequence } = session.openTurn ?? {}
      const expected = oracle ? await this.#expected(oracle, job!, sequence!) : []
      if (settleOpenTurn(session, facts, expected)) this.#counts.lostTurns += 1
    }
  }

  /** Another tenant who guesses ids and knows the very text finds nothing. */
  async #intrude(worker: WorkerProcess): Promise<void> {
    const session = this.#random.pick(this.#sessions)
    this.#counts.strangers += 1
    const stranger = `stranger-${this.#counts.strangers}`
    const code = await codeOf(worker.call({ operation: 'get', id: session.id }, stranger))
    const job = this.#job([...session.tokenIds, FIRST_WORD])
    const events = await worker.run(job, stranger)
    const cached = events.find((event) => event.type === 'start')?.cachedTokens ?? 0
    if (code !== 'session_not_found' || cached > 0) this.#counts.crossTenantHits += 1
  }

  async #turn(
    worker: WorkerProcess,
    oracle: WorkerProcess | undefined,
    session: KnownSession,
  ): Promise<void> {
    const prompt = Array.from(
      { length: TURN_TOKENS + this.#random.below(TURN_TOKENS) },
      () => FIRST_WORD + this.#random.below(WORDS),
    )
    const sequence = [...session.tokenIds, ...prompt]
    const append = session.version > 0 ? { turnEndIds: [], fillContext: false } : undefined
    const job: Job = {
      ...this.#job(prompt),
      session: { id: session.id, onDisconnect: 'rollback', ...(append && { append }) },
    }
    session.openTurn = { job, sequence, oracle }
    this.#counts.turns += 1
    const events = await worker.run(job, session.tenant).catch((error: unknown) => {
      if (error instanceof Refused && error.code === 'unreachable') return []
      throw error
    })
    await this.#check({ oracle, session, job, sequence, events })
  }

  async #check(turn: {
    /** Undefined: the text is taken as it is. */
    oracle: WorkerProcess | undefined
    session: KnownSession
    job: Job
    sequence: readonly number[]
    events: readonly JobEvent[]
  }): Promise<void> {
    const { oracle, session, job, sequence, events } = turn
    const end = events.at(-1)
    if (end?.type === 'error') throw new Error(`a turn ended in ${end.code}`)
    if (end?.type !== 'end') return
    this.#counts.acknowledged += 1
    if (session.version > 0) this.#counts.restores += 1
    this.#counts.cachedTokens += end.usage.cachedTokens
    const text = textOf(events).slice(0, end.usage.completionTokens)
    const expected = oracle && (await this.#expected(oracle, job, sequence))
    if (expected && text.join() !== expected.join()) this.#counts.wrongTokens += 1
    session.version = end.session!.version
    session.tokenIds = [...sequence, ...text]
    session.openTurn = undefined
  }

  /** The text that a worker without any memory gives. */
  async #expected(
    oracle: WorkerProcess,
    { decoding }: Job,
    sequence: readonly number[],
  ): Promise<number[]> {
    const events = await oracle.run({ ...this.#job(sequence), decoding }, 'oracle')
    const end = events.at(-1)
    if (end?.type !== 'end') throw new Error('the oracle did not answer')
    return textOf(events).slice(0, end.usage.completionTokens)
  }

  #job(tokenIds: readonly number[]): Job {
    this.#serial += 1
    return {
      id: `job-${this.#serial}`,
      model: this.#options.model,
      tokenIds: [...tokenIds],
      maxTokens: TURN_TOKENS,
      stopTokenIds: [],
      decoding: {
        mode: (['ntp', 'verified', 'sbd'] as const)[this.#serial % 3]!,
        gamma: 0.35,
        blockLength: 6,
        rule: 'strict',
      },
      sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
    }
  }
}

/** How the store names what a client has named. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

async function readFacts(
  worker: WorkerProcess,
  { id, tenant }: KnownSession,
): Promise<SessionFacts | undefined> {
  try {
    return (await worker.call({ operation: 'get', id }, tenant)).sessions[0]
  } catch (error) {
    if (error instanceof Refused && error.code === 'session_not_found') return undefined
    throw error
  }
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error.code
    throw error
  }
}
