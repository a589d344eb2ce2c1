import {
  ApiError,
  sha256Hex,
  verifyJobToken,
  type JobKey,
  type JobTokenFailure,
  type JobTokenPayload,
} from '@setblock/shared'
import { UsedTokens } from './used-tokens.ts'

/** Tokens live for a minute and a half at most: room for 700 jobs a second. */
const TOKENS_REMEMBERED_MAX = 65_536

/** Lets in what the edge vouches for: each token once, with its own body, in its time. */
export class JobGate {
  /** Of the secret shared with the edge, and of the one before it. */
  readonly #keys: readonly JobKey[]
  /** Unix time in milliseconds. */
  readonly #now: () => number
  readonly #used = new UsedTokens(TOKENS_REMEMBERED_MAX)

  constructor(keys: readonly JobKey[], now: () => number) {
    this.#keys = keys
    this.#now = now
  }

  /** @returns the tenant that the edge vouches for. @throws ApiError `invalid_job_token` */
  async admit(authorization: string | undefined, body: Uint8Array<ArrayBuffer>): Promise<string> {
    const nowMs = this.#now()
    const payload = await this.#verify(authorization, body, nowMs)
    if (!this.#used.take(payload, nowMs)) throw refused('replayed')
    return payload.tenant
  }

  /**
   * Tells an edge that asks for nothing whether it would be let in. Its token stays as good as it was, so that asking often
   * takes no room here.
   * @throws ApiError `invalid_job_token`
   */
  async recognise(authorization: string): Promise<void> {
    await this.#verify(authorization, new Uint8Array(), this.#now())
  }

  async #verify(
    authorization: string | undefined,
    body: Uint8Array<ArrayBuffer>,
    nowMs: number,
  ): Promise<JobTokenPayload> {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
    if (token === undefined) throw new ApiError('invalid_job_token', 'a job token is required')
    const bodySha256 = await sha256Hex(body)
    let failure: JobTokenFailure = 'bad-signature'
    for (const key of this.#keys) {
      const verdict = await verifyJobToken(key, { token, bodySha256, nowMs })
      if (verdict.ok) return verdict.payload
      failure = verdict.failure
      // Only another secret could make a difference.
      if (failure !== 'bad-signature') break
    }
    throw refused(failure)
  }
}

function refused(failure: JobTokenFailure): ApiError {
  return new ApiError('invalid_job_token', `the job token is refused: ${failure}`)
}
