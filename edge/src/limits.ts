import { assert, limits } from '@setblock/shared'
import type { Limits } from '@setblock/shared'

/** The shared limits and those that only the edge knows. Tests lower the times. */
export type EdgeLimits = { readonly [Name in keyof Limits]: number } & {
  /**
   * How long a streaming request waits for the worker's verdict before its headers go out: until
   * then a refusal is an HTTP status, after it an event in the stream.
   */
  readonly headersGraceMs: number
  /** Longest wait for a worker to accept or refuse a job. */
  readonly workerAnswerMs: number
  /** Longest wait for a worker to say that it is ready. */
  readonly readinessMs: number
  /** Workers that one edge knows of. */
  readonly workersMax: number
  /** How long it is believed which models the workers have loaded. */
  readonly modelListMs: number
  /** Bytes of a worker's answer about its models. */
  readonly modelAnswerBytesMax: number
  /** How long a list of workers from a registry object, or from DNS, is used. */
  readonly workerListMs: number
  /** Longest wait for one answer of a name server. */
  readonly dnsAnswerMs: number
  /** Failures in a row after which a worker is asked behind all others. */
  readonly workerFailuresMax: number
  /** For how long, first and at most: the time doubles with each further failure. */
  readonly workerEjectMs: number
  readonly workerEjectMsMax: number
  /** Jobs that wait for one worker's verdict; it is offered no more until it has answered. */
  readonly workerVerdictsMax: number
  /** The same for a worker whose last verdict took longer than so many milliseconds. */
  readonly workerLateVerdictsMax: number
  readonly workerLateVerdictMs: number
  /** For how long a worker's word that it is full saves asking it again. */
  readonly workerFullMs: number
  readonly apiKeyCharactersMax: number
  readonly requestIdCharactersMax: number
  /** Bytes of a worker's error answer that are read. */
  readonly errorBodyBytesMax: number
  /** Bytes of a worker's answer about sessions. */
  readonly sessionAnswerBytesMax: number
  /** Answers to one request (`n`), each a job of its own. */
  readonly choicesMax: number
  /** `logprobs` of the completions API; OpenAI's own bound. */
  readonly completionLogprobsMax: number
  /** Objects and lists inside each other in a request's JSON. */
  readonly jsonDepthMax: number
  /** Objects inside each other in a JSON Schema, and all of its subschemas. */
  readonly jsonSchemaDepthMax: number
  readonly jsonSchemaNodesMax: number

  readonly keyNameCharactersMax: number
  readonly keysPerPageMax: number
  readonly keyLifetimeSecondsMax: number
  /** How long a looked-up key is believed: a revocation takes effect within this time. */
  readonly keyCacheMs: number
  readonly keyCacheEntriesMax: number
  /** Wrong keys that one address may try in a minute, after which it has to wait. */
  readonly failedAttemptsPerMinute: number
  /** Addresses remembered for that; the oldest is forgotten first. */
  readonly failedAddressesMax: number
  readonly browserTokenSecondsMin: number
  readonly browserTokenSecondsDefault: number
  readonly browserTokenSecondsMax: number
  readonly originCharactersMax: number

  readonly requestsPerMinuteDefault: number
  readonly requestsPerMinuteMax: number
  readonly tokensPerMinuteDefault: number
  readonly tokensPerMinuteMax: number
  readonly tokensPerMonthMax: number
  /** Completion tokens charged up front for a request that names no bound of its own. */
  readonly completionEstimateTokens: number
  /** Meters in memory; one that is full again is forgotten. */
  readonly metersMax: number
  /** Days that one usage summary may span. */
  readonly usageDaysMax: number
  /** Days that usage records are kept: at least, by default and at most. */
  readonly usageKeptDaysMin: number
  readonly usageKeptDaysDefault: number
  readonly usageKeptDaysMax: number
  /** How often older ones are deleted on Node; on Workers wrangler.toml says it. */
  readonly usageForgetMs: number
  /** Records that one statement deletes, statements of one time, and the pause between two. */
  readonly usageForgetRecordsMax: number
  readonly usageForgetStatementsMax: number
  readonly usageForgetPauseMs: number

  readonly idempotencyKeyCharactersMax: number
  /** How long the answer to a request with an idempotency key stays. */
  readonly storedAnswerMs: number
  /** How long a resumable stream goes on without a reader, and can be read after its end. */
  readonly resumeGraceMs: number
  /** Characters of one stream's events that are kept for readers to come back to. */
  readonly streamCharactersMax: number
  /** Characters, and number, of all answers kept in one process. */
  readonly keptCharactersMax: number
  readonly keptStreamsMax: number
  /** Characters read ahead of a client; one that lags more is given up. */
  readonly readAheadCharactersMax: number
}

const DAYS_OF_A_MONTH_MAX = 31

export const edgeLimits: EdgeLimits = Object.freeze({
  ...limits,
  headersGraceMs: 2_000,
  workerAnswerMs: 15_000,
  readinessMs: 2_000,
  workersMax: 256,
  modelListMs: 5_000,
  modelAnswerBytesMax: 64 * 1024,
  workerListMs: 2_000,
  dnsAnswerMs: 1_000,
  workerFailuresMax: 2,
  workerEjectMs: 2_000,
  workerEjectMsMax: 60_000,
  workerVerdictsMax: 64,
  workerLateVerdictsMax: 8,
  workerLateVerdictMs: 1_000,
  workerFullMs: 50,
  apiKeyCharactersMax: 256,
  requestIdCharactersMax: 128,
  errorBodyBytesMax: 16 * 1024,
  sessionAnswerBytesMax: 256 * 1024,
  choicesMax: 8,
  completionLogprobsMax: 5,
  jsonDepthMax: 64,
  jsonSchemaDepthMax: 16,
  jsonSchemaNodesMax: 1_024,

  keyNameCharactersMax: 128,
  keysPerPageMax: 100,
  keyLifetimeSecondsMax: 10 * 366 * 24 * 3600,
  keyCacheMs: 5_000,
  keyCacheEntriesMax: 1_000,
  failedAttemptsPerMinute: 30,
  failedAddressesMax: 10_000,
  browserTokenSecondsMin: 60,
  browserTokenSecondsDefault: 600,
  browserTokenSecondsMax: 3_600,
  originCharactersMax: 256,

  requestsPerMinuteDefault: 600,
  requestsPerMinuteMax: 1_000_000,
  tokensPerMinuteDefault: 600_000,
  tokensPerMinuteMax: 1_000_000_000,
  tokensPerMonthMax: 1_000_000_000_000,
  completionEstimateTokens: 1_024,
  metersMax: 10_000,
  usageDaysMax: 366,
  usageKeptDaysMin: 32,
  usageKeptDaysDefault: 400,
  usageKeptDaysMax: 36_500,
  usageForgetMs: 3_600_000,
  usageForgetRecordsMax: 500,
  usageForgetStatementsMax: 500,
  usageForgetPauseMs: 50,

  idempotencyKeyCharactersMax: 255,
  storedAnswerMs: 3_600_000,
  resumeGraceMs: 60_000,
  streamCharactersMax: 4 * 1024 * 1024,
  keptCharactersMax: 64 * 1024 * 1024,
  keptStreamsMax: 2_000,
  readAheadCharactersMax: 512 * 1024,
})

assert(
  edgeLimits.headersGraceMs <= edgeLimits.heartbeatMs,
  `headersGraceMs (${edgeLimits.headersGraceMs}) must not exceed heartbeatMs ` +
    `(${edgeLimits.heartbeatMs}): no client may wait longer than that for a first byte`,
)
assert(
  edgeLimits.choicesMax <= edgeLimits.queueLengthMax,
  `choicesMax (${edgeLimits.choicesMax}) must not exceed queueLengthMax ` +
    `(${edgeLimits.queueLengthMax}): no worker could take such a request`,
)
assert(
  edgeLimits.choicesMax <= edgeLimits.workerLateVerdictsMax,
  `choicesMax (${edgeLimits.choicesMax}) must not exceed workerLateVerdictsMax ` +
    `(${edgeLimits.workerLateVerdictsMax}): one request could ask for more than may wait`,
)
assert(
  edgeLimits.workerAnswerMs <= edgeLimits.jobTokenLifetimeMs,
  `workerAnswerMs (${edgeLimits.workerAnswerMs}) must not exceed jobTokenLifetimeMs ` +
    `(${edgeLimits.jobTokenLifetimeMs})`,
)
assert(
  edgeLimits.workerEjectMs <= edgeLimits.workerEjectMsMax,
  `workerEjectMs (${edgeLimits.workerEjectMs}) must not exceed workerEjectMsMax ` +
    `(${edgeLimits.workerEjectMsMax})`,
)
assert(
  edgeLimits.streamCharactersMax <= edgeLimits.keptCharactersMax,
  `streamCharactersMax (${edgeLimits.streamCharactersMax}) must not exceed keptCharactersMax ` +
    `(${edgeLimits.keptCharactersMax})`,
)
assert(
  edgeLimits.usageKeptDaysMin > DAYS_OF_A_MONTH_MAX,
  `usageKeptDaysMin (${edgeLimits.usageKeptDaysMin}) must exceed ${DAYS_OF_A_MONTH_MAX}: ` +
    'a quota is counted from the records of the whole month',
)
assert(
  edgeLimits.usageKeptDaysDefault > edgeLimits.usageDaysMax,
  `usageKeptDaysDefault (${edgeLimits.usageKeptDaysDefault}) must exceed usageDaysMax ` +
    `(${edgeLimits.usageDaysMax}): the longest span that may be asked for would have holes`,
)
