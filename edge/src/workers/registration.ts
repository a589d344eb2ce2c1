import {
  ApiError,
  importJobSecret,
  isAnnouncementSigned,
  parseWith,
  workerAnnouncementSchema,
} from '@setblock/shared'
import type { JobKey, WorkerAnnouncement } from '@setblock/shared'
import type { EdgeLimits } from '../limits.ts'
import { isHostAllowed } from './worker-hosts.ts'
import type { AnnounceOutcome, WorkerRegistry } from './worker-registry.ts'

/** The door at which workers announce themselves. */
export interface Registration {
  /**
   * Takes the body of an announcement and the signature that came with it.
   * @throws ApiError `invalid_job_token` when it is not signed, or sent before another one that
   *   counted; `invalid_request` naming the field; `overloaded` when there are too many workers
   */
  announce(
    body: Uint8Array<ArrayBuffer>,
    signature: string | undefined,
  ): Promise<{ url: string; outcome: AnnounceOutcome; leaseMs: number }>
}

export function createRegistration(options: {
  registry: WorkerRegistry
  /** The secret shared with the workers, and the one before it as long as it counts. */
  secrets: readonly string[]
  /** Patterns of hosts, see worker-hosts.ts. */
  hosts: readonly string[]
  limits: Pick<EdgeLimits, 'workerLeaseMs' | 'workersMax'>
}): Registration {
  const { registry, secrets, hosts, limits } = options
  let keys: JobKey[] | undefined
  return {
    async announce(body, signature) {
      keys ??= await Promise.all(secrets.map(importJobSecret))
      if (signature === undefined || !(await isAnnouncementSigned(keys, body, signature))) {
        throw new ApiError('invalid_job_token', 'the announcement is not signed by the job secret')
      }
      const announcement = readAnnouncement(body)
      const { url } = announcement
      if (!isHostAllowed(hosts, url)) {
        throw new ApiError('invalid_request', 'url: this host may not be a worker', {
          param: 'url',
        })
      }
      const outcome = await registry.announce(announcement)
      if (outcome === 'stale') {
        throw new ApiError('invalid_job_token', 'the announcement is too old, or the clocks differ')
      }
      if (outcome === 'full') {
        throw new ApiError('overloaded', `there are ${limits.workersMax} workers already`)
      }
      return { url, outcome, leaseMs: limits.workerLeaseMs }
    },
  }
}

function readAnnouncement(body: Uint8Array<ArrayBuffer>): WorkerAnnouncement {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new ApiError('invalid_json', 'the body is not valid JSON in UTF-8')
  }
  return parseWith(workerAnnouncementSchema, value)
}
