import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, errorEnvelopeSchema, ERRORS, type ErrorCode } from './errors.ts'
import { limits } from './limits.ts'

test('an error becomes the envelope that OpenAI clients read', () => {
  const error = new ApiError('unsupported_parameter', 'n must be 1', { param: 'n' })
  assert.deepEqual(error.toEnvelope(), {
    error: {
      message: 'n must be 1',
      type: 'invalid_request_error',
      param: 'n',
      code: 'unsupported_parameter',
    },
  })
  assert.equal(error.status, 400)
  assert.equal(error.retryable, false)
})

test('every code has a status that is an error, and only passing troubles are retryable', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const { status, retryable } = ERRORS[code]
    assert.ok(status >= 400 && status <= 599, code)
    const passing = (status === 429 && code !== 'insufficient_quota') || status >= 500
    assert.equal(retryable, passing, code)
    assert.ok(errorEnvelopeSchema.safeParse(new ApiError(code, 'x').toEnvelope()).success, code)
  }
})

test('an overloaded answer always names a wait, in whole seconds', () => {
  assert.equal(new ApiError('overloaded', 'full').retryAfterSeconds, limits.retryAfterSeconds)
  assert.equal(new ApiError('overloaded', 'full', { retryAfterSeconds: 2.2 }).retryAfterSeconds, 3)
  assert.equal(new ApiError('overloaded', 'full', { retryAfterSeconds: 0 }).retryAfterSeconds, 1)
  assert.equal(new ApiError('not_found', 'no').retryAfterSeconds, undefined)
})

test('an unexpected failure shows the client nothing of itself', () => {
  const failure = new Error('password is hunter2')
  const error = ApiError.from(failure)
  assert.equal(error.code, 'internal_error')
  assert.equal(error.cause, failure)
  assert.doesNotMatch(JSON.stringify(error.toEnvelope()), /hunter2/)
})

test('an ApiError passes through unchanged', () => {
  const error = new ApiError('aborted', 'gone')
  assert.equal(ApiError.from(error), error)
})

test('a message is cut at its limit', () => {
  const { message } = new ApiError('invalid_request', 'x'.repeat(10_000))
  assert.equal(message.length, limits.errorMessageCharactersMax)
})
