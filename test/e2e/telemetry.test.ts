import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { promisify } from 'node:util'
import { bundledModel } from '../eval/provenance.ts'
import { WorkerProcess } from '../faults/worker-process.ts'

let home: string
let env: Record<string, string>
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'setblock-home-'))
  env = { HOME: home, XDG_CACHE_HOME: path.join(home, '.cache') }
})
afterEach(() => rm(home, { recursive: true }))

/** With its reports on, ONNX Runtime keeps a device id and a database in the home folder. */
const assertNoRecord = async () => assert.deepEqual(await readdir(home, { recursive: true }), [])

test('a worker keeps no record of itself for the maker of its runtime', async () => {
  const worker = await WorkerProcess.start({ modelFolder: bundledModel, env })
  await worker.stop()
  await assertNoRecord()
})

test('nor does a program beside the worker that loads a graph', async () => {
  const module = new URL('../../gpu-worker/src/engine/onnx-graph.ts', import.meta.url).href
  const file = JSON.stringify(path.join(bundledModel, 'graph.int8.onnx'))
  const program = `
    import { OnnxGraph } from ${JSON.stringify(module)}
    const graph = await OnnxGraph.load(${file}, { threads: 1, spinning: false })
    await graph.dispose()`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { env })
  await assertNoRecord()
})
