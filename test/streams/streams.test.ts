/** A small run of `npm run test:streams`. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { stackUnderTest } from '../e2e/stack-under-test.ts'
import { slowReaders } from './slow-readers.ts'
import { stuckReaders } from './stuck-readers.ts'

describe('many streams at once, read slowly', { timeout: 120_000 }, () => {
  const under = stackUnderTest('node')

  test('all of every stream arrives, once and in order', async () => {
    const result = await slowReaders(under.stack, { count: 16, maxTokens: 40, restMs: 200 })
    assert.ok(result.events > 16 * 10)
    assert.deepEqual([result.broken, result.wrongText, result.unfinished], [0, 0, 0])
  })

  test('a reader that stops is told so after what fits into the buffers', async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'setblock-stuck-'))
    t.after(() => rm(folder, { recursive: true }))
    const { cut, broken } = await stuckReaders(folder, 2)
    assert.deepEqual([cut, broken], [2, 0])
  })
})
