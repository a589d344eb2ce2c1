import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from './service.ts'
import { StartError } from './start-error.ts'

const POLL_MS = 150
const PROBE_TIMEOUT_MS = 5_000

export interface ReadyOptions {
  readonly service: Service
  /** Answers 200 once the service is ready. */
  readonly url: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Waits until a service says that it is ready.
 *
 * @throws StartError if it exits first or takes too long; the signal's reason if that aborts.
 */
export async function waitUntilReady(options: ReadyOptions): Promise<void> {
  const { service, url, timeoutMs, signal } = options
  let exited = false
  void service.exited.then(() => (exited = true))
  const deadline = Date.now() + timeoutMs
  while (!(await answersOk(url, signal))) {
    signal.throwIfAborted()
    if (exited) throw service.exitError()
    if (Date.now() > deadline) {
      throw new StartError(`${service.name} was not ready after ${timeoutMs / 1000} s (${url})`)
    }
    await sleep(POLL_MS)
  }
}

async function answersOk(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)])
    const response = await fetch(url, { signal: limit })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
