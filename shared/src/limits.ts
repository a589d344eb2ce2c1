import { assert } from './assert.ts'

/**
 * Every bound of the system that both sides must agree on, with its unit last in the name. A model
 * or a deployment may be stricter (a manifest's context length, a worker's queue), never laxer.
 */
export const limits = Object.freeze({
  /** Bytes of a client's request body at the edge. */
  bodyBytesMax: 1024 * 1024,
  /** Bytes of a job's JSON between edge and worker. */
  jobBodyBytesMax: 512 * 1024,
  promptTokensMax: 32_768,
  /** Characters of all prompt text together, counted before encoding: encoding is the slow part. */
  promptCharactersMax: 131_072,
  messagesMax: 512,
  maxTokensMax: 32_768,
  /** Token ids are int32 in the engine's buffers. */
  tokenIdMax: 2 ** 31 - 1,

  gammaMax: 256,
  blockLengthMin: 2,
  blockLengthMax: 16,
  /** Positions in one reveal event: a whole block, or a whole accepted draft and one token more. */
  revealPositionsMax: 64,
  temperatureMax: 2,
  /** Candidates that leave the graph for each sampled row, so the largest top-k there can be. */
  topKMax: 64,
  seedMax: 2 ** 32 - 1,

  /** Most likely tokens reported beside the chosen one. */
  logprobsMax: 20,
  jsonSchemaCharactersMax: 16_384,

  stopStringsMax: 4,
  stopStringCharactersMax: 64,
  stopTokenIdsMax: 16,

  modelIdCharactersMax: 64,
  jobIdCharactersMax: 64,
  sessionIdCharactersMax: 128,
  tenantCharactersMax: 64,
  errorMessageCharactersMax: 1024,
  /** A field's path may be as long as a client's key for it. */
  errorParamCharactersMax: 256,

  /** Bytes of one NDJSON event line, its newline not counted. */
  eventLineBytesMax: 128 * 1024,
  /** Jobs waiting in a worker, those running not counted. */
  queueLengthMax: 64,
  /** Predicted work of the jobs waiting in a worker, as milliseconds that they would take alone. */
  queuedWorkMsMax: 120_000,
  /** Predicted wait for a sequence beyond which a worker takes no further jobs. */
  queueWaitMsMax: 30_000,
  /** Longest that a job waits for a sequence before it is told that the worker is overloaded. */
  queueTimeMsMax: 60_000,

  jobSecretCharactersMin: 32,
  jobTokenBytesMax: 2048,
  /** How long a signed job stays acceptable; covers the way to the worker and clock differences. */
  jobTokenLifetimeMs: 60_000,
  clockSkewMs: 30_000,

  /** How often a worker announces itself to the edge, and how long the edge believes it. */
  announceMs: 5_000,
  workerLeaseMs: 20_000,
  workerUrlCharactersMax: 256,
  workerModelsMax: 16,
  announcementBytesMax: 8 * 1024,

  /** Living sessions of one tenant. */
  sessionsPerTenantMax: 1000,
  sessionsPageMax: 100,
  /** How long a session lives after its last turn unless it says otherwise, and at most. */
  sessionTtlMs: 24 * 3_600_000,
  sessionTtlMsMax: 30 * 24 * 3_600_000,

  /** How long a client may take to send its headers, and its whole request. */
  requestHeadersMs: 10_000,
  requestMs: 60_000,
  /** Bytes of a request's line and headers. */
  requestHeadersBytesMax: 16 * 1024,

  /** Longest silence on any stream while a job is alive. */
  heartbeatMs: 5_000,
  /** Silence, or one unsettled write, after which the other side counts as gone. */
  stallMs: 30_000,
  /** Longest that one job may take from admission to its last event. */
  deadlineMsMax: 600_000,
  /** How long a draining worker lets running jobs finish. */
  drainMs: 30_000,
  /** Wait advised to refused clients when nothing better is known. */
  retryAfterSeconds: 1,
})

export type Limits = Readonly<Record<keyof typeof limits, number>>

/** Checks that the limits fit each other; called once at load with the real ones. */
export function assertLimits(l: Limits): void {
  const DIGITS_PER_TOKEN = String(l.tokenIdMax).length + 1
  const VOCABULARY_MAX = 2 ** 18
  const LOGPROB_BYTES = 64
  const REVEAL_BYTES_PER_POSITION = 64 + (l.logprobsMax + 1) * LOGPROB_BYTES

  atMost(l, 'heartbeatMs', 'stallMs', 3)
  atMost(l, 'stallMs', 'deadlineMsMax')
  atMost(l, 'requestHeadersMs', 'requestMs')
  atMost(l, 'jobTokenBytesMax', 'requestHeadersBytesMax', 2)
  atMost(l, 'drainMs', 'deadlineMsMax')
  atMost(l, 'queueTimeMsMax', 'deadlineMsMax')
  atMost(l, 'queueTimeMsMax', 'queuedWorkMsMax')
  atMost(l, 'queueWaitMsMax', 'queueTimeMsMax')
  atMost(l, 'clockSkewMs', 'jobTokenLifetimeMs')
  atMost(l, 'jobTokenLifetimeMs', 'deadlineMsMax')
  atMost(l, 'sessionTtlMs', 'sessionTtlMsMax')
  // Two announcements may get lost, and a third be late.
  atMost(l, 'announceMs', 'workerLeaseMs', 3)
  atMost(l, 'blockLengthMin', 'blockLengthMax')
  atMost(l, 'blockLengthMax', 'revealPositionsMax', 2)
  atMost(l, 'promptCharactersMax', 'bodyBytesMax')
  atMost(l, 'promptTokensMax', 'promptCharactersMax')
  atMost(l, 'stopStringCharactersMax', 'promptCharactersMax')
  atMost(l, 'logprobsMax', 'topKMax')
  atMost(l, 'jsonSchemaCharactersMax', 'jobBodyBytesMax', 6)
  atMost(l, 'promptTokensMax', 'jobBodyBytesMax', DIGITS_PER_TOKEN)
  atMost(l, 'revealPositionsMax', 'eventLineBytesMax', REVEAL_BYTES_PER_POSITION)
  atMost(l, 'errorMessageCharactersMax', 'eventLineBytesMax', 6)
  atMost(l, 'errorParamCharactersMax', 'errorMessageCharactersMax')

  // A bound no block can reach must be sayable: "reveal everything at once".
  const entropyMax = l.blockLengthMax * Math.log(VOCABULARY_MAX)
  assert(
    entropyMax <= l.gammaMax,
    `gammaMax (${l.gammaMax}) must reach the entropy of a whole block (${entropyMax})`,
  )
}

function atMost(l: Limits, low: keyof Limits, high: keyof Limits, factor = 1): void {
  assert(
    l[low] * factor <= l[high],
    `limit ${low} (${l[low]}) times ${factor} must not exceed ${high} (${l[high]})`,
  )
}

assertLimits(limits)
