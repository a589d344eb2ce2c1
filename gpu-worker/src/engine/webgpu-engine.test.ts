import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { ApiError, InvariantError } from '@setblock/shared'

import { DeviceCache } from './device-cache.ts'
import { DevicePools } from './device-pools.ts'
import type { Engine, SequenceId } from './engine.ts'
import { loadModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import type { OnnxGraph } from './onnx-graph.ts'
import { createWebGpuEngine, sequencesOnDevice } from './webgpu-engine.ts'
import type { ForwardRows } from '../decoding/rows.ts'
import { buildModel } from '../model-builder/build-model.ts'
import {
  assertCandidates,
  assertNear,
  assertResults,
  referenceLogits,
} from '../testing/engine-reference.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'
import type { RandomModel } from '../testing/random-checkpoint.ts'
import { readReferenceModel } from '../testing/reference-model.ts'
import { seededRandom } from '../testing/seeded-random.ts'
import { webGpuModel, withoutWebGpu } from '../testing/webgpu-model.ts'

const TOLERANCE = 1e-4
const skip = await withoutWebGpu()

const cleanUps: (() => Promise<void>)[] = []
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

/** The same checkpoint on the GPU, on the CPU and in double precision. */
async function setUp(overrides: Partial<RandomModel> = {}) {
  const { folder, remove } = await writeRandomCheckpoint(overrides)
  cleanUps.push(remove)
  await buildModel({ folder, targets: ['fp32'] })
  const cpuOptions = { threads: 1, spinning: false, sequencesMax: 3 }
  const cpu = await createOnnxEngine(await loadModel(folder, 'fp32'), cpuOptions)
  const gpu = await createWebGpuEngine(await webGpuModel(folder, 'fp32'), { sequencesMax: 3 })
  cleanUps.push(
    () => cpu.dispose(),
    () => gpu.dispose(),
  )
  return { cpu, gpu, reference: await readReferenceModel(folder) }
}

const below = (random: () => number, n: number) => Math.floor(random() * n)

const causal = (tail: number[]): ForwardRows => {
  return { tail, groups: [], readTail: tail.length, entropies: 'all', top: 'all' }
}

function randomRows(random: () => number, step: number, tailMax: number): ForwardRows {
  const tail = Array.from({ length: 1 + below(random, tailMax) }, () => below(random, 96))
  const groups = Array.from({ length: step % 3 }, () => ({
    tokens: Array.from({ length: 1 + below(random, 8) }, () => below(random, 96)),
    afterTail: below(random, tail.length + 1),
  }))
  const readTail = below(random, tail.length + 1)
  const entropies = step % 4 === 3 ? 'none' : 'all'
  return { tail, groups, readTail, entropies, top: step % 2 === 0 ? 'all' : 'tail' }
}

async function prefill(engine: Engine, sequence: SequenceId, tokens: number[]): Promise<void> {
  await engine.forward([{ sequence, ...causal(tokens) }])
  engine.commit(sequence, tokens.length)
}

for (const type of ['llama', 'qwen3'] as const) {
  test(
    `${type}: ragged batches that sequences join and leave equal full recomputation`,
    {
      skip,
    },
    async () => {
      const shape = { tied: type === 'llama', vocabularySize: type === 'llama' ? 96 : 97 }
      const { gpu, reference } = await setUp({ type, seed: 7, ...shape })
      const random = seededRandom(11)
      const cached = new Map<SequenceId, number[]>([0, 1].map(() => [gpu.open(), []]))
      for (let step = 0; step < 14; step++) {
        if (step === 3) cached.set(gpu.open(), [])
        if (step % 6 === 5) {
          const [first] = cached.keys()
          gpu.close(first!)
          cached.delete(first!)
          cached.set(gpu.open(), [])
        }
        const order = [...cached.keys()].slice(0, 1 + below(random, cached.size))
        const batch = order.map((sequence, i) => ({
          sequence,
          ...randomRows(random, step + i, i === 0 && step % 4 === 0 ? 40 : 9),
        }))
        const results = await gpu.forward(batch)
        for (const [i, { sequence, ...rows }] of batch.entries()) {
          const before = cached.get(sequence)!
          const logits = referenceLogits(reference, before, rows)
          assertResults(results[i]!, logits, TOLERANCE)
          const offered = rows.top === 'all' ? logits : logits.slice(0, rows.readTail)
          if (offered.length > 0) assertCandidates(results[i]!, offered, TOLERANCE)
          const kept = below(random, rows.tail.length + 1)
          gpu.commit(sequence, kept)
          cached.set(sequence, [...before, ...rows.tail.slice(0, kept)])
          assert.equal(gpu.cachedLength(sequence), cached.get(sequence)!.length)
        }
      }
      for (const sequence of cached.keys()) gpu.close(sequence)
      gpu.checkIntegrity()
    },
  )
}

test('exported rows go into another sequence, and between CPU and GPU', { skip }, async () => {
  const { cpu, gpu } = await setUp({ seed: 3 })
  const prompt = Array.from({ length: 70 }, (_, i) => (i * 29 + 5) % 96)
  const next = { ...causal([9, 4]), groups: [{ tokens: [3, 3, 3], afterTail: 1 }] }
  const [onCpu, onGpu] = [cpu.open(), gpu.open()]
  await prefill(cpu, onCpu, prompt)
  await prefill(gpu, onGpu, prompt)
  const [expected] = await gpu.forward([{ sequence: onGpu, ...next }])
  const exported = await gpu.exportRows(onGpu, 0, 64)
  const ofCpu = await cpu.exportRows(onCpu, 0, 64)
  assert.equal(exported.length, ofCpu.length)
  for (const [i, value] of ofCpu.entries()) assertNear(exported[i]!, value, TOLERANCE, `row ${i}`)
  assert.deepEqual(exported.subarray(0, 32 * 128), await gpu.exportRows(onGpu, 0, 32))

  const restored = gpu.open()
  await gpu.importRows(restored, exported.slice(0, 32 * 128), 32)
  await gpu.importRows(restored, exported.slice(32 * 128), 32)
  assert.deepEqual(await gpu.exportRows(restored, 0, 64), exported)
  await prefill(gpu, restored, prompt.slice(64))
  const [again] = await gpu.forward([{ sequence: restored, ...next }])
  assert.deepEqual(again!.ids, expected!.ids)
  for (const [i, entropy] of expected!.entropies!.entries()) {
    assertNear(again!.entropies![i]!, entropy, TOLERANCE, `entropy ${i}`)
  }

  const fromCpu = gpu.open()
  await gpu.importRows(fromCpu, ofCpu, 64)
  await prefill(gpu, fromCpu, prompt.slice(64))
  const [foreign] = await gpu.forward([{ sequence: fromCpu, ...next }])
  assert.deepEqual(foreign!.ids, expected!.ids)
  await assert.rejects(gpu.exportRows(restored, 60, 11), InvariantError)
  await assert.rejects(gpu.importRows(restored, exported.subarray(1), 64), InvariantError)
})

test('a closed sequence leaves nothing on the device', { skip }, async () => {
  const shape = {
    names: ['key_pool.0', 'value_pool.0'],
    heads: 2,
    headSize: 4,
    type: 'float32',
  } as const
  const pools = await DevicePools.create(shape, 2 * 16)
  cleanUps.push(() => pools.dispose())
  const unused = {} as OnnxGraph // nothing is run here
  const options = {
    sequencesMax: 2,
    contextLength: 12,
    planes: 2,
    rowLength: 8,
    planePositions: 16,
  }
  const cache = new DeviceCache(unused, pools, options)
  const [first, second] = [cache.open(), cache.open()]
  const rows = Float32Array.from({ length: 10 * 16 }, (_, i) => i + 1)
  await cache.append(first, rows, 10)
  await cache.append(second, rows, 10)
  assert.deepEqual(await pools.read(0, 10), rows)
  cache.close(first)
  cache.close(first)
  cache.checkIntegrity()
  assert.deepEqual(await cache.read(second, 0, 10), rows, 'a neighbour keeps its rows')
  assert.deepEqual(await pools.read(0, 16), new Float32Array(16 * 16))
  assert.throws(() => cache.cachedLength(first), InvariantError)
  assert.equal(cache.cachedLength(cache.open()), 0)
  assert.throws(
    () => cache.open(),
    (error) => error instanceof ApiError && error.code === 'overloaded',
  )
})

test('a forward may fill the context, and an engine can follow another', { skip }, async () => {
  const { gpu, reference } = await setUp({ contextLength: 64 })
  const sequence = gpu.open()
  const prompt = Array.from({ length: 63 }, (_, i) => 4 + (i % 90))
  await prefill(gpu, sequence, prompt)
  const rows = { ...causal([8]), groups: [{ tokens: prompt.slice(0, 16), afterTail: 1 }] }
  const [results] = await gpu.forward([{ sequence, ...rows }])
  assertResults(results!, referenceLogits(reference, prompt, rows), TOLERANCE)
  gpu.commit(sequence, 1)
  await assert.rejects(gpu.forward([{ sequence, ...causal([9]) }]), InvariantError)
})

test(
  'a CPU graph is refused, and so is a budget without room for one sequence',
  {
    skip,
  },
  async () => {
    const { folder, remove } = await writeRandomCheckpoint()
    cleanUps.push(remove)
    await buildModel({ folder, targets: ['fp32'] })
    const cpuGraph = await loadModel(folder, 'fp32')
    await assert.rejects(createWebGpuEngine(cpuGraph, { sequencesMax: 1 }), ModelError)
    const model = await webGpuModel(folder, 'fp32')
    await assert.rejects(
      createWebGpuEngine(model, { sequencesMax: 1, kvBytesMax: 1000 }),
      /the cache of one sequence does not fit 1000 bytes$/,
    )
  },
)

test('as many sequences as the budget holds, and as one buffer may', () => {
  const options = {
    sequencesMax: 3,
    planes: 4,
    rowLength: 6,
    contextLength: 20,
    planePositions: 32,
  }
  const slotBytes = 4 * 32 * 6 * 4
  const within = (bytes: number) => sequencesOnDevice(options, 4, bytes)
  assert.equal(within(slotBytes - 1), 0)
  assert.equal(within(2 * slotBytes), 2)
  assert.equal(within(9 * slotBytes), 3)
  const long = { ...options, rowLength: 1024, planePositions: 2 ** 18 }
  assert.equal(sequencesOnDevice(long, 4, Infinity), 1)
  assert.equal(sequencesOnDevice(long, 2, Infinity), 3)
})
