import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEdgeConfig } from '../config.ts'

const secrets = {
  SETBLOCK_JOB_SECRET: 'a secret of this test, long enough to pass',
  SETBLOCK_ADMIN_KEY: 'a key of the operator, long enough to pass',
}
const sourcesOf = (list: string, hosts = '') =>
  readEdgeConfig({ ...secrets, GPU_WORKERS: list, SETBLOCK_WORKER_HOSTS: hosts }).workers.sources

test('workers are listed, looked up, or announce themselves', () => {
  assert.deepEqual(sourcesOf('http://a:1/, https://b/prefix, registry', 'a:1'), [
    { kind: 'static', url: 'http://a:1' },
    { kind: 'static', url: 'https://b/prefix' },
    { kind: 'registry' },
  ])
  const name = { scheme: 'http', host: 'worker.default.svc', port: 8788 }
  assert.deepEqual(sourcesOf('dns+http://worker.default.svc:8788'), [
    { kind: 'dns', name: { ...name, record: 'address' } },
  ])
  const service = { record: 'srv', scheme: 'https', host: '_jobs._tcp.worker.svc', port: 443 }
  assert.deepEqual(sourcesOf('srv+https://_jobs._tcp.worker.svc'), [{ kind: 'dns', name: service }])
})

test('anything else is refused by the name of its variable', () => {
  for (const list of ['', 'a:1', 'ftp://a', 'dns+ftp://a', 'dns+http://', 'dns+http://a/b', 'x']) {
    assert.throws(() => sourcesOf(list), /^ApiError: GPU_WORKERS/, list)
  }
  assert.throws(() => sourcesOf('registry'), /^ApiError: SETBLOCK_WORKER_HOSTS: must name/)
  assert.throws(() => sourcesOf('http://a', 'http://b'), /^ApiError: SETBLOCK_WORKER_HOSTS/)
})
