import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import * as z from 'zod'

import type { Architecture } from '@setblock/shared'
import { roundUpKeys } from '../engine/attention-mask.ts'
import { GRAPH, HIDDEN_BIAS, planeNames } from '../engine/graph-contract.ts'
import { OnnxGraph, tensor } from '../engine/onnx-graph.ts'
import type { Feed, Feeds } from '../engine/onnx-graph.ts'
import { buildGraph } from '../model-builder/build-graph.ts'
import { openCheckpoint } from '../model-builder/checkpoint.ts'
import type { Checkpoint } from '../model-builder/checkpoint.ts'
import type { Precision } from '../model-builder/graph/graph-builder.ts'
import { graphBytes } from '../model-builder/write-graph.ts'

/**
 * Tiny random checkpoints with the logits that PyTorch gives for them: `golden-*` by the trainer's
 * own model, `hf-*` by transformers.
 */
export const GOLDEN_NAMES = [
  'golden-llama',
  'golden-qwen3',
  'hf-llama2-sharded',
  'hf-llama3',
  'hf-llama-bias',
  'hf-qwen2',
  'hf-qwen3',
] as const
export type GoldenName = (typeof GOLDEN_NAMES)[number]

export const goldenFolder = (name: GoldenName): string =>
  fileURLToPath(new URL(`../../test-fixtures/${name}`, import.meta.url))

const goldenSchema = z.object({
  rope: z
    .array(z.object({ position: z.int(), cos: z.array(z.number()), sin: z.array(z.number()) }))
    .default([]),
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
export type Golden = z.infer<typeof goldenSchema>
export type GoldenCase = Golden['cases'][number]

export async function readGolden(name: GoldenName): Promise<Golden> {
  return goldenSchema.parse(
    JSON.parse(await readFile(join(goldenFolder(name), 'golden.json'), 'utf8')),
  )
}

/** A fixture's graph, with its logits as an output. */
export class GoldenGraph {
  readonly architecture: Architecture
  readonly maskTokenId: number
  readonly #graph: OnnxGraph
  readonly #provider: 'cpu' | 'webgpu'

  private constructor(graph: OnnxGraph, provider: 'cpu' | 'webgpu', checkpoint: Checkpoint) {
    this.#graph = graph
    this.#provider = provider
    this.architecture = checkpoint.architecture
    this.maskTokenId = checkpoint.source.maskTokenId
  }

  static async load(
    name: GoldenName,
    precision: Precision,
    provider: 'cpu' | 'webgpu' = 'cpu',
  ): Promise<GoldenGraph> {
    const checkpoint = await openCheckpoint(goldenFolder(name))
    try {
      const bytes = await graphBytes(buildGraph(checkpoint, { provider, precision, logits: true }))
      const graph = await OnnxGraph.load(bytes, { provider, threads: 1, spinning: false })
      return new GoldenGraph(graph, provider, checkpoint)
    } finally {
      await checkpoint.files.close()
    }
  }

  /** Logits of the case's rows: one forward over the whole sequence, nothing cached. */
  async logits({ tokens, positions, visible, rows }: GoldenCase): Promise<Float32Array[]> {
    const { heads, keyValueHeads, vocabularySize } = this.architecture
    const width = roundUpKeys(tokens.length)
    const group = heads / keyValueHeads
    const order = Int32Array.from(tokens.keys())
    const feeds: Record<string, Feed> = {
      ...this.#emptyCache(tokens.length, width),
      [GRAPH.inputIds]: tensor(Int32Array.from(tokens), [tokens.length]),
      [GRAPH.spreadRows]: tensor(order, [1, tokens.length]),
      [GRAPH.packedRows]: tensor(order, [tokens.length]),
      [GRAPH.positionIds]: tensor(BigInt64Array.from(positions, BigInt), [1, tokens.length]),
      [GRAPH.attentionBias]: tensor(attentionBias(visible, group, width), [
        1,
        1,
        tokens.length * group,
        width,
      ]),
      [GRAPH.logitRows]: tensor(Int32Array.from(rows), [rows.length]),
      [GRAPH.entropyRows]: tensor(Int32Array.of(0), [1]),
      [GRAPH.topRows]: tensor(Int32Array.of(0), [1]),
    }
    const output = (await this.#graph.run(feeds, [GRAPH.logits]))[GRAPH.logits]!
    const flat = output.data as Float32Array
    return rows.map((_, row) => flat.slice(row * vocabularySize, (row + 1) * vocabularySize))
  }

  /** Room for `width` positions, the rows from the first on. */
  #emptyCache(rows: number, width: number): Feeds {
    const { layers, keyValueHeads, headSize } = this.architecture
    const empty = new Float32Array(width * keyValueHeads * headSize)
    const planes = (names: readonly string[], shape: readonly number[]): Feeds =>
      Object.fromEntries(names.map((name) => [name, tensor(empty, shape)]))
    if (this.#provider === 'cpu') {
      return {
        ...planes(planeNames(layers, 'host'), [1, width, keyValueHeads * headSize]),
        [GRAPH.writePositions]: tensor(BigInt64Array.of(0n), [1]),
      }
    }
    const places = Int32Array.from({ length: width }, (_, place) => place)
    return {
      ...planes(planeNames(layers, 'device'), [keyValueHeads, width, headSize]),
      [GRAPH.keyPlaces]: tensor(places, [1, width]),
      [GRAPH.writePlaces]: tensor(places.subarray(0, rows), [1, rows, 1]),
    }
  }

  dispose(): Promise<void> {
    return this.#graph.dispose()
  }
}

function attentionBias(visible: readonly string[], group: number, width: number): Float32Array {
  const bias = new Float32Array(visible.length * group * width).fill(HIDDEN_BIAS)
  for (let row = 0; row < visible.length * group; row++) {
    for (const [key, flag] of visible[Math.floor(row / group)]!.split('').entries()) {
      if (flag === '1') bias[row * width + key] = 0
    }
  }
  return bias
}

export interface Agreement {
  /** Rows compared, and those whose largest logit is that of PyTorch's token. */
  readonly rows: number
  readonly sameToken: number
  /** Largest difference of a logit, the mask token's aside. */
  readonly differenceMax: number
}

/** How a graph's logits compare with PyTorch's, over all cases of a fixture. */
export async function compareWithGolden(
  name: GoldenName,
  precision: Precision,
  provider: 'cpu' | 'webgpu' = 'cpu',
): Promise<Agreement> {
  const graph = await GoldenGraph.load(name, precision, provider)
  const { maskTokenId } = graph
  let [rows, sameToken, differenceMax] = [0, 0, 0]
  try {
    for (const golden of (await readGolden(name)).cases) {
      for (const [row, actual] of (await graph.logits(golden)).entries()) {
        const expected = golden.logits[row]!
        const others = expected.map((value, token) => (token === maskTokenId ? -Infinity : value))
        rows++
        if (argmax(actual) === argmax(others)) sameToken++
        for (const [token, value] of expected.entries()) {
          if (token === maskTokenId) continue
          differenceMax = Math.max(differenceMax, Math.abs(actual[token]! - value))
        }
      }
    }
  } finally {
    await graph.dispose()
  }
  return { rows, sameToken, differenceMax }
}

function argmax(values: ArrayLike<number>): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}
