import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'

import { busCost, BUS_BYTES_PER_SECOND } from './bus-cost.ts'
import { missingCudaLibraries } from './cuda-library.ts'
import { chooseForm } from './device.ts'
import { loadForm, readManifest } from './manifest.ts'
import type { LoadedModel } from './manifest.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import { openEngine } from './open-engine.ts'
import { buildModel } from '../model-builder/build-model.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'

const OPTIONS = { threads: 1, spinning: false, sequencesMax: 3 }
/** What float16 may change of an entropy or log probability here. */
const HALF_TOLERANCE = 0.1

let folder: string
let remove: () => Promise<void>
before(async () => {
  ;({ folder, remove } = await writeRandomCheckpoint())
  await buildModel({ folder, targets: ['fp32', 'cuda-fp16'] })
})
after(() => remove())

async function load(provider: 'cpu' | 'cuda'): Promise<LoadedModel> {
  const manifest = await readManifest(folder)
  return loadForm(folder, manifest, chooseForm(manifest, provider))
}

const rows = (tail: number[]) => {
  return { tail, groups: [], readTail: 1, entropies: 'all', top: 'none' } as const
}

// The CPU runs float16 by way of float32: no figure of CUDA, but the same inputs and outputs.
test('the CUDA graph, with keys and values in float16, agrees with float32', async (t) => {
  const half = await createOnnxEngine(await load('cuda'), OPTIONS)
  const full = await createOnnxEngine(await load('cpu'), OPTIONS)
  t.after(() => Promise.all([half.dispose(), full.dispose()]))
  const prompts = [
    [5, 9, 40, 7, 61],
    [8, 77, 30],
  ]
  const open = (engine: typeof half) => prompts.map((tail) => ({ tail, sequence: engine.open() }))
  const [halves, fulls] = [open(half), open(full)]
  for (let step = 0; step < 4; step += 1) {
    const batch = (list: typeof halves) =>
      list.map(({ sequence, tail }) => ({ sequence, ...rows(step === 0 ? tail : [11 + step]) }))
    const [ours, expected] = [await half.forward(batch(halves)), await full.forward(batch(fulls))]
    for (const [index, result] of ours.entries()) {
      assert.deepEqual(result.ids, expected[index]!.ids)
      const difference = Math.abs(result.entropies![0]! - expected[index]!.entropies![0]!)
      assert.ok(difference < HALF_TOLERANCE, `entropies differ by ${difference}`)
    }
    for (const [engine, list] of [
      [half, halves],
      [full, fulls],
    ] as const) {
      for (const { sequence, tail } of list) engine.commit(sequence, step === 0 ? tail.length : 1)
    }
  }

  // What leaves is float32, and comes back to the very same bits.
  const { sequence } = halves[0]!
  const exported = await half.exportRows(sequence, 0, 5)
  assert.ok(exported instanceof Float32Array)
  const copy = half.open()
  await half.importRows(copy, exported, 5)
  assert.deepEqual(await half.exportRows(copy, 0, 5), exported)
  half.close(copy)
  half.checkIntegrity()
})

test('without the CUDA provider the device is refused with the way to get it', async (t) => {
  if (missingCudaLibraries().length === 0) return t.skip('the CUDA provider is installed here')
  const request = { ...OPTIONS, cores: 1, engines: 1, coresAreFree: () => true }
  await assert.rejects(
    openEngine({ ...request, modelFolder: folder, device: 'cuda' }),
    /^ModelError: device cuda: the CUDA provider of ONNX Runtime is not there: /,
  )
})

test('the CUDA provider is there when both of its libraries are', async (t) => {
  const libraries = await mkdtemp(path.join(tmpdir(), 'setblock-cuda-'))
  t.after(() => rm(libraries, { recursive: true }))
  const missing = missingCudaLibraries(libraries)
  assert.equal(missing.length, 2)
  await writeFile(missing[0]!, '')
  assert.deepEqual(missingCudaLibraries(libraries), missing.slice(1))
  await writeFile(missing[1]!, '')
  assert.deepEqual(missingCudaLibraries(libraries), [])
})

test('what crosses the bus is two values for each key-value dimension, layer and position', async () => {
  const { manifest, form } = await load('cuda')
  const { layers, keyValueHeads, headSize } = manifest.architecture
  const { positions, bytes, ms } = busCost(manifest, form)
  assert.equal(positions, manifest.contextLength)
  assert.equal(bytes, 2 * layers * keyValueHeads * headSize * positions * 2)
  assert.equal(ms, (bytes / BUS_BYTES_PER_SECOND) * 1000)
  const full = await load('cpu')
  assert.equal(busCost(full.manifest, full.form).bytes, 2 * bytes)
})
