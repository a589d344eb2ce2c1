import {
  announcementAnswerSchema,
  importJobSecret,
  limits,
  signAnnouncement,
  type JobKey,
  type WorkerAnnouncement,
} from '@setblock/shared'
import type { Log } from './log.ts'

export interface AnnounceOptions {
  /** Base URLs of the edges; each keeps its own list of workers. */
  readonly edgeUrls: readonly string[]
  /** Where they reach this worker. */
  readonly advertiseUrl: string
  /** Ids of the models that it serves. */
  readonly models: readonly string[]
  /**
   * What announcements are signed with. While the secret changes it is the previous one: the edge
   * learns the new one last, and takes both until then.
   */
  readonly secret: string
  readonly log: Log
  /** Milliseconds between announcements. */
  readonly everyMs?: number
}

/** Longest wait for an edge to take an announcement. */
const ANSWER_MS = 3_000

/** Tells the edges that this worker is here, until it leaves. */
export interface Announcing {
  /** Asks the edges to send no more jobs. Resolves when each has been told, or did not listen. */
  leave(): Promise<void>
}

/** Announces the worker at once and then every `everyMs`. An edge that cannot be reached is tried again. */
export async function startAnnouncing(options: AnnounceOptions): Promise<Announcing> {
  const key = await importJobSecret(options.secret)
  const edges = options.edgeUrls.map((edgeUrl) => new Edge(edgeUrl, key, options))
  const tell = (state: WorkerAnnouncement['state']) =>
    Promise.all(edges.map((edge) => edge.tell(state)))
  const timer = setInterval(() => void tell('ready'), options.everyMs ?? limits.announceMs)
  void tell('ready')
  return {
    async leave() {
      clearInterval(timer)
      await tell('leaving')
    },
  }
}

/** One edge, as this worker sees it. Announcements to it go out one after the other. */
class Edge {
  readonly #url: string
  readonly #key: JobKey
  readonly #options: AnnounceOptions
  #told: Promise<void> = Promise.resolve()
  #sentAt = 0
  /** How the last announcement went: only changes are logged. */
  #last: 'unknown' | 'taken' | 'failed' = 'unknown'

  constructor(url: string, key: JobKey, options: AnnounceOptions) {
    this.#url = url
    this.#key = key
    this.#options = options
  }

  tell(state: WorkerAnnouncement['state']): Promise<void> {
    this.#told = this.#told
      .then(() => this.#send(state))
      .catch((error: unknown) => this.#note(error))
    return this.#told
  }

  async #send(state: WorkerAnnouncement['state']): Promise<void> {
    const { advertiseUrl, models } = this.#options
    // Later than the last one, also when the clock was set back: the edge takes no older ones.
    this.#sentAt = Math.max(Date.now(), this.#sentAt + 1)
    const announcement: WorkerAnnouncement = {
      url: advertiseUrl,
      state,
      models: [...models],
      sentAt: this.#sentAt,
    }
    const body = JSON.stringify(announcement)
    const response = await fetch(`${this.#url}/internal/workers`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await signAnnouncement(this.#key, body)}`,
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (!announcementAnswerSchema.safeParse(answer).success) {
      throw new Error(`the edge answered ${response.status}`)
    }
    this.#note(undefined)
  }

  #note(error: unknown): void {
    const now = error === undefined ? 'taken' : 'failed'
    if (now === this.#last) return
    this.#last = now
    const reason = error instanceof Error ? describe(error) : null
    const level = now === 'failed' ? 'warn' : 'info'
    this.#options.log(level, `announcement-${now}`, { edge: this.#url, reason })
  }
}

/** fetch says only that it failed; its cause says why. */
function describe(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
