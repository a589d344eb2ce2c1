import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { buildModel } from './build-model.ts'
import { ModelError } from '../engine/model-error.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

let folder: string
let out: string
let remove: () => Promise<void>
beforeEach(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
  out = await mkdtemp(join(tmpdir(), 'setblock-threads-'))
})
afterEach(async () => {
  await remove()
  await rm(out, { recursive: true, force: true })
})

const build = (threads: number, to = out) =>
  buildModel({ folder, out: to, targets: ['cpu-int8', 'fp32'], inlineBytesMax: 0, threads })

test('any number of threads writes the same bytes', async () => {
  const here = (await build(1, join(out, 'here'))).manifest.graphs
  assert.ok(here.every(({ data }) => data?.length === 1))
  assert.deepEqual((await build(3, join(out, 'threads'))).manifest.graphs, here)
})

test('a weight that a thread refuses is named, and nothing is left', async () => {
  // The middle of the file is in some matrix.
  const path = join(folder, 'model.safetensors')
  const bytes = await readFile(path)
  const place = Math.floor(bytes.length / 8) * 4
  const file = await open(path, 'r+')
  await file.write(Uint8Array.of(0xff, 0xff, 0xff, 0x7f), 0, 4, place)
  await file.close()
  await assert.rejects(build(2), (error) => {
    assert.ok(error instanceof ModelError, String(error))
    assert.match(error.message, /^model\..*: holds a value that is not finite$/)
    assert.match(error.subject, /^model\./)
    return true
  })
  assert.deepEqual(await readdir(out), [])
})
