import { clientError, errorFromResponse } from './errors.ts'

/** Where the API is and who asks. */
export interface ConnectionOptions {
  /** Of the deployment, without `/v1`. In a page it may be relative to it, such as `/`. */
  baseUrl: string | URL
  /** A long-lived key. Not for pages: whoever can open a page can read it. */
  apiKey?: string | undefined
  /**
   * Gives a short-lived token, from a backend of yours. Kept until the API refuses it; then it is asked for once
   * more, and the request repeated.
   */
  getToken?: (() => string | Promise<string>) | undefined
  /** Instead of the global one. */
  fetch?: typeof fetch | undefined
}

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below the base URL, such as `/v1/models`. */
  path: string
  headers?: Record<string, string>
  body?: unknown
  signal: AbortSignal
}

/** One HTTP request after another, with the right credentials. */
export class Transport {
  readonly #base: string
  readonly #options: ConnectionOptions
  #token: Promise<string> | undefined

  /** @throws TypeError if the base URL is none, or the credentials are missing or ambiguous. */
  constructor(options: ConnectionOptions) {
    const { apiKey, getToken } = options
    if ((apiKey === undefined) === (getToken === undefined)) {
      throw new TypeError('give either apiKey or getToken')
    }
    const { location } = globalThis as { location?: { href: string } }
    this.#base = String(new URL(options.baseUrl, location?.href)).replace(/\/+$/, '')
    this.#options = options
  }

  /** @throws SetblockError for every answer but a good one. */
  async send(call: Call): Promise<Response> {
    const response = await this.#attempt(call)
    if (response.ok) return response
    if (response.status !== 401 || this.#options.getToken === undefined) {
      throw await errorFromResponse(response)
    }
    await response.body?.cancel()
    this.#token = undefined
    const second = await this.#attempt(call)
    if (second.ok) return second
    throw await errorFromResponse(second)
  }

  async #attempt({ method, path, headers, body, signal }: Call): Promise<Response> {
    const init: RequestInit = {
      method,
      signal,
      headers: {
        authorization: `Bearer ${await this.#credential()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }
    const { fetch: send = globalThis.fetch } = this.#options
    try {
      return await send(`${this.#base}${path}`, init)
    } catch (cause) {
      if (signal.aborted) throw clientError('aborted', 'the request was aborted', { cause })
      const init = { retryable: true, cause }
      throw clientError('connection_failed', 'the server cannot be reached', init)
    }
  }

  /** One question to the backend however many requests wait for its answer. */
  async #credential(): Promise<string> {
    const { apiKey, getToken } = this.#options
    if (getToken === undefined) return apiKey ?? ''
    const asked = (this.#token ??= Promise.resolve(getToken()))
    try {
      return await asked
    } catch (error) {
      if (this.#token === asked) this.#token = undefined
      throw error
    }
  }
}
