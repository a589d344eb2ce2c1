import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOST_PATTERN, isHostAllowed } from './worker-hosts.ts'

const cases: [pattern: string, url: string, allowed: boolean][] = [
  ['worker.example.com', 'https://worker.example.com', true],
  ['worker.example.com', 'http://worker.example.com:9', true],
  ['worker.example.com:443', 'https://worker.example.com', true],
  ['worker.example.com:443', 'http://worker.example.com', false],
  ['worker-*.worker.gpu.svc:8788', 'http://worker-12.worker.gpu.svc:8788', true],
  ['worker-*.worker.gpu.svc:8788', 'http://worker-12.evil.worker.gpu.svc:8788', false],
  ['worker-*.worker.gpu.svc', 'http://worker-1.worker.gpu.svc.evil.example', false],
  ['*.example.com', 'https://example.com', false],
  ['*.example.com', 'https://a.b.example.com', false],
  ['w-*-gpu-*.x', 'http://w-1-gpu-2.x', true],
  ['w-*-gpu-*.x', 'http://w-gpu-2.x', false],
  ['a*a.x', 'http://a.x', false],
  ['10.0.*.*:8788', 'http://10.0.3.7:8788', true],
  ['10.0.*.*', 'http://169.254.169.254', false],
  ['[::1]:8788', 'http://[::1]:8788', true],
  ['127.0.0.1:*', 'http://127.0.0.1:40000', true],
]

for (const [pattern, url, allowed] of cases) {
  test(`${pattern} ${allowed ? 'allows' : 'does not allow'} ${url}`, () => {
    assert.match(pattern, HOST_PATTERN)
    assert.equal(isHostAllowed([pattern], url), allowed)
  })
}

test('without patterns nothing is allowed; what is no pattern is none', () => {
  assert.equal(isHostAllowed([], 'http://worker'), false)
  for (const bad of ['http://worker', 'worker/path', 'worker:', 'work er', '.worker', 'w:port']) {
    assert.doesNotMatch(bad, HOST_PATTERN)
  }
})
