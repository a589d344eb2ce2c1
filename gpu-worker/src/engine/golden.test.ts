import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import * as z from 'zod'

import { roundUpKeys } from './attention-mask.ts'
import { GRAPH, HIDDEN_BIAS } from './graph-contract.ts'
import { OnnxGraph, tensor } from './onnx-graph.ts'
import type { Feed } from './onnx-graph.ts'
import { buildGraph } from '../model-builder/build-graph.ts'
import { openCheckpoint } from '../model-builder/checkpoint.ts'
import type { Checkpoint } from '../model-builder/checkpoint.ts'
import { graphBytes } from '../model-builder/write-graph.ts'

const fixtures = fileURLToPath(new URL('../../test-fixtures', import.meta.url))

const goldenSchema = z.object({
  cases: z
    .array(
      z.object({
        name: z.string(),
        tokens: z.array(z.int()),
        positions: z.array(z.int()),
        /** Query x key, '1' where visible. */
        visible: z.array(z.string()),
        rows: z.array(z.int()),
        logits: z.array(z.array(z.number())),
      }),
    )
    .min(1),
})
type GoldenCase = z.infer<typeof goldenSchema>['cases'][number]

for (const name of ['golden-llama', 'golden-qwen3']) {
  test(`${name}: the fp32 graph gives PyTorch's logits`, async (t) => {
    const folder = join(fixtures, name)
    const json = JSON.parse(await readFile(join(folder, 'golden.json'), 'utf8'))
    const checkpoint = await openCheckpoint(folder)
    const bytes = await graphBytes(buildGraph(checkpoint, { precision: 'fp32', logits: true }))
    await checkpoint.files.close()
    const graph = await OnnxGraph.load(bytes, { threads: 1, spinning: false })
    try {
      for (const golden of goldenSchema.parse(json).cases) {
        await t.test(golden.name, async () => {
          const logits = await runCase(graph, checkpoint, golden)
          assertLogitsEqual(logits, golden, checkpoint.source.maskTokenId)
        })
      }
    } finally {
      await graph.dispose()
    }
  })
}

/** One forward over the whole sequence with the case's own mask, nothing cached. */
async function runCase(graph: OnnxGraph, { architecture }: Checkpoint, golden: GoldenCase) {
  const { tokens, positions, visible, rows } = golden
  const width = roundUpKeys(tokens.length)
  const group = architecture.heads / architecture.keyValueHeads
  const bias = new Float32Array(tokens.length * group * width).fill(HIDDEN_BIAS)
  for (let row = 0; row < tokens.length * group; row++) {
    for (const [key, flag] of visible[Math.floor(row / group)]!.split('').entries()) {
      if (flag === '1') bias[row * width + key] = 0
    }
  }
  const order = Int32Array.from(tokens.keys())
  const feeds: Record<string, Feed> = {
    [GRAPH.inputIds]: tensor(Int32Array.from(tokens), [tokens.length]),
    [GRAPH.spreadRows]: tensor(order, [1, tokens.length]),
    [GRAPH.packedRows]: tensor(order, [tokens.length]),
    [GRAPH.positionIds]: tensor(BigInt64Array.from(positions, BigInt), [1, tokens.length]),
    [GRAPH.writePositions]: tensor(BigInt64Array.of(0n), [1]),
    [GRAPH.attentionBias]: tensor(bias, [1, 1, tokens.length * group, width]),
    [GRAPH.logitRows]: tensor(Int32Array.from(rows), [rows.length]),
    [GRAPH.entropyRows]: tensor(Int32Array.of(0), [1]),
    [GRAPH.topRows]: tensor(Int32Array.of(0), [1]),
  }
  const { layers, keyValueHeads, headSize } = architecture
  const empty = new Float32Array(width * keyValueHeads * headSize)
  const pastShape = [1, width, keyValueHeads * headSize]
  for (let layer = 0; layer < layers; layer++) {
    feeds[GRAPH.pastKey(layer)] = tensor(empty, pastShape)
    feeds[GRAPH.pastValue(layer)] = tensor(empty, pastShape)
  }
  return (await graph.run(feeds, [GRAPH.logits]))[GRAPH.logits]!.data as Float32Array
}

function assertLogitsEqual(actual: Float32Array, golden: GoldenCase, maskTokenId: number): void {
  const vocabulary = golden.logits[0]!.length
  assert.equal(actual.length, golden.rows.length * vocabulary)
  for (const [row, expected] of golden.logits.entries()) {
    for (const [token, value] of expected.entries()) {
      const got = actual[row * vocabulary + token]!
      if (token === maskTokenId) assert.ok(got < -1e8, `row ${row} offers the mask token`)
      else
        assert.ok(Math.abs(got - value) < 1e-4, `row ${row} token ${token}: ${got}, not ${value}`)
    }
  }
}
