import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { createWebGpuEngine } from './webgpu-engine.ts'
import type { ForwardRows } from '../decoding/rows.ts'
import { assertCandidates, assertResults, referenceLogits } from '../testing/engine-reference.ts'
import { compareWithGolden, GOLDEN_NAMES } from '../testing/golden-cases.ts'
import { writeRandomCheckpoint } from '../testing/random-checkpoint.ts'
import { readReferenceModel } from '../testing/reference-model.ts'
import { seededRandom } from '../testing/seeded-random.ts'
import { webGpuModel, withoutWebGpu } from '../testing/webgpu-model.ts'

const skip = await withoutWebGpu()

const cleanUps: (() => Promise<void>)[] = []
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

for (const name of GOLDEN_NAMES) {
  test(`${name}: the fp32 graph gives PyTorch's logits on the GPU`, { skip }, async () => {
    const { rows, sameToken, differenceMax } = await compareWithGolden(name, 'fp32', 'webgpu')
    assert.ok(differenceMax < 1e-4, `a logit differs by ${differenceMax}`)
    assert.equal(sameToken, rows)
  })
}

/** Logits here are about 10, so that float16 holds them to 0.008. */
const HALF_TOLERANCE = 0.15

for (const precision of ['fp16', 'q4f16'] as const) {
  test(`${precision}: half the bits, the same results but for rounding`, { skip }, async () => {
    const sizes = { hiddenSize: 64, headSize: 32, intermediateSize: 128, vocabularySize: 128 }
    const exact = { exactInQ4: precision === 'q4f16' }
    const { folder, remove } = await writeRandomCheckpoint({ type: 'qwen3', ...sizes, ...exact })
    cleanUps.push(remove)
    const gpu = await createWebGpuEngine(await webGpuModel(folder, precision), { sequencesMax: 2 })
    cleanUps.push(() => gpu.dispose())
    const reference = await readReferenceModel(folder)
    const random = seededRandom(5)
    const below = (n: number) => Math.floor(random() * n)
    const sequences = [gpu.open(), gpu.open()].map((sequence) => ({
      sequence,
      cached: [] as number[],
    }))
    for (let step = 0; step < 4; step++) {
      const batch = sequences.map(({ sequence }, i) => {
        const tail = Array.from({ length: 1 + below(step === i ? 40 : 6) }, () => below(128))
        const groups = [{ tokens: [3, 3, below(128), 3], afterTail: below(tail.length + 1) }]
        const rows: ForwardRows = { tail, groups, readTail: 1, entropies: 'all', top: 'all' }
        return { sequence, ...rows }
      })
      const results = await gpu.forward(batch)
      for (const [i, rows] of batch.entries()) {
        const { sequence, cached } = sequences[i]!
        const logits = referenceLogits(reference, cached, rows)
        assertResults(results[i]!, logits, HALF_TOLERANCE)
        assertCandidates(results[i]!, logits, HALF_TOLERANCE)
        gpu.commit(sequence, rows.tail.length)
        cached.push(...rows.tail)
      }
    }
    const [first, second] = sequences
    const { length } = first!.cached
    const exported = await gpu.exportRows(first!.sequence, 0, length)
    gpu.close(second!.sequence)
    const restored = gpu.open()
    await gpu.importRows(restored, exported, length)
    assert.deepEqual(await gpu.exportRows(restored, 0, length), exported)
  })
}
