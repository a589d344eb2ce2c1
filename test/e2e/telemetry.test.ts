import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { bundledModel } from '../eval/provenance.ts'
import { WorkerProcess } from '../faults/worker-process.ts'

test('a worker keeps no record of itself for the maker of its runtime', async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), 'setblock-home-'))
  t.after(() => rm(home, { recursive: true }))
  const env = { HOME: home, XDG_CACHE_HOME: path.join(home, '.cache') }
  const worker = await WorkerProcess.start({ modelFolder: bundledModel, env })
  await worker.stop()
  // With its reports on, ONNX Runtime keeps a device id and a database there.
  assert.deepEqual(await readdir(home, { recursive: true }), [])
})
