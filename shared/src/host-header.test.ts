import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseTwoHosts } from './host-header.ts'

test('a request with two hosts is refused, in whatever case they are written', async () => {
  const response = refuseTwoHosts(['Host', 'a', 'x-a', 'b', 'hOST', 'a'])
  assert.equal(response?.status, 400)
  assert.equal(response.headers.get('connection'), 'close')
  const { error } = (await response.json()) as { error: { code: string; param: string } }
  assert.deepEqual([error.code, error.param], ['invalid_request', 'host'])
})

test('a value that reads host is no second one', () => {
  assert.equal(
    refuseTwoHosts(['host', 'host', 'x-forwarded-host', 'host', 'x-a', 'host']),
    undefined,
  )
  assert.equal(refuseTwoHosts([]), undefined)
})
