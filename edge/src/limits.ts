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
  readonly apiKeyCharactersMax: number
  readonly requestIdCharactersMax: number
  /** Bytes of a worker's error answer that are read. */
  readonly errorBodyBytesMax: number
  /** Answers to one request (`n`), each a job of its own. */
  readonly choicesMax: number
  /** `logprobs` of the completions API; OpenAI's own bound. */
  readonly completionLogprobsMax: number
  /** Objects and lists inside each other in a request's JSON. */
  readonly jsonDepthMax: number
  /** Objects inside each other in a JSON Schema, and all of its subschemas. */
  readonly jsonSchemaDepthMax: number
  readonly jsonSchemaNodesMax: number
}

export const edgeLimits: EdgeLimits = Object.freeze({
  ...limits,
  headersGraceMs: 2_000,
  workerAnswerMs: 15_000,
  readinessMs: 2_000,
  apiKeyCharactersMax: 256,
  requestIdCharactersMax: 128,
  errorBodyBytesMax: 16 * 1024,
  choicesMax: 8,
  completionLogprobsMax: 5,
  jsonDepthMax: 64,
  jsonSchemaDepthMax: 16,
  jsonSchemaNodesMax: 1_024,
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
  edgeLimits.workerAnswerMs <= edgeLimits.jobTokenLifetimeMs,
  `workerAnswerMs (${edgeLimits.workerAnswerMs}) must not exceed jobTokenLifetimeMs ` +
    `(${edgeLimits.jobTokenLifetimeMs})`,
)
