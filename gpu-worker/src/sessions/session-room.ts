import { ApiError, limits } from '@setblock/shared'

export interface SessionRoomOptions {
  /** Living sessions of a tenant, counted in the store: work that grows with all that it has ever had. */
  readonly count: (tenant: string) => Promise<number>
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number
}

interface Counted {
  /** Those found, and those begun here since. */
  living: number
  readonly atMs: number
}

/** How long a count is added to instead of being made again: by so much others that share the store may be missed. */
const COUNT_AGE_MS = 60_000
/** Tenants whose count is remembered; the oldest is forgotten first. */
const TENANTS_MAX = 10_000

/** Whether a tenant has room for another session, without counting all it has each time one begins. */
export class SessionRoom {
  readonly #options: SessionRoomOptions
  readonly #counted = new Map<string, Counted>()
  readonly #counting = new Map<string, Promise<Counted>>()

  constructor(options: SessionRoomOptions) {
    this.#options = options
  }

  /** Takes a place. One that is given up again is found at the next count. @throws ApiError `session_limit_exceeded` */
  async take(tenant: string): Promise<void> {
    let counted = this.#counted.get(tenant)
    if (counted === undefined || !this.#isUseful(counted)) counted = await this.#countOnce(tenant)
    const { living } = counted
    if (living >= limits.sessionsPerTenantMax) {
      const text = `session: there are ${living} already, the limit is ${limits.sessionsPerTenantMax}`
      throw new ApiError('session_limit_exceeded', text, { param: 'session' })
    }
    counted.living += 1
  }

  /** A full one may not be full any more. */
  #isUseful({ living, atMs }: Counted): boolean {
    return living < limits.sessionsPerTenantMax && this.#options.now() - atMs < COUNT_AGE_MS
  }

  /** One count at a time for each tenant, whoever waits for it. */
  #countOnce(tenant: string): Promise<Counted> {
    const counting =
      this.#counting.get(tenant) ?? this.#count(tenant).finally(() => this.#counting.delete(tenant))
    this.#counting.set(tenant, counting)
    return counting
  }

  async #count(tenant: string): Promise<Counted> {
    const atMs = this.#options.now()
    const counted = { living: await this.#options.count(tenant), atMs }
    this.#counted.delete(tenant)
    this.#counted.set(tenant, counted)
    if (this.#counted.size > TENANTS_MAX) {
      this.#counted.delete(this.#counted.keys().next().value as string)
    }
    return counted
  }
}
