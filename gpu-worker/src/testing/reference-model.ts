import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { readTensors } from './read-tensors.ts'

/**
 * The decoder written the plain way, in double precision, from the checkpoint's own files: no
 * cache, no fused matrices, no quantisation. What the graph computes is compared with this.
 */
export interface ReferenceModel {
  /** Logits of every row of one sequence; `sees(i, j)` tells whether row i attends to row j. */
  logits(
    rows: readonly { token: number; position: number }[],
    sees: (i: number, j: number) => boolean,
  ): number[][]
}

type Vector = number[]
type Linear = (x: Vector) => Vector

interface HfConfig {
  num_hidden_layers: number
  num_attention_heads: number
  num_key_value_heads: number
  head_dim: number
  rope_theta: number
  rms_norm_eps: number
  tie_word_embeddings: boolean
}

export async function readReferenceModel(folder: string): Promise<ReferenceModel> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as HfConfig
  const file = await readTensors(folder)
  const vector = (name: string) => Array.from(file.read(`${name}.weight`).data)
  const linear = (name: string): Linear => {
    const { shape, data } = file.read(`${name}.weight`)
    const [outputs, inputs] = shape as [number, number]
    return (x) =>
      Array.from({ length: outputs }, (_, o) =>
        x.reduce((sum, value, i) => sum + value * data[o * inputs + i]!, 0),
      )
  }
  const norm = (name: string) => {
    const weight = vector(name)
    return (x: Vector): Vector => {
      const meanSquare = x.reduce((sum, value) => sum + value * value, 0) / x.length
      return x.map((value, i) => (value / Math.sqrt(meanSquare + config.rms_norm_eps)) * weight[i]!)
    }
  }
  const layers = Array.from({ length: config.num_hidden_layers }, (_, index) =>
    makeLayer(config, `model.layers.${index}.`, { linear, norm, has: (name) => file.has(name) }),
  )
  const embedding = file.read('model.embed_tokens.weight')
  const hiddenSize = embedding.shape[1]!
  const finalNorm = norm('model.norm')
  const head = linear(config.tie_word_embeddings ? 'model.embed_tokens' : 'lm_head')
  return {
    logits(rows, sees) {
      let hidden = rows.map(({ token }) =>
        Array.from(embedding.data.subarray(token * hiddenSize, (token + 1) * hiddenSize)),
      )
      const positions = rows.map(({ position }) => position)
      for (const layer of layers) hidden = layer(hidden, positions, sees)
      return hidden.map((x) => head(finalNorm(x)))
    },
  }
}

interface Parts {
  linear: (name: string) => Linear
  norm: (name: string) => (x: Vector) => Vector
  has: (name: string) => boolean
}

function makeLayer(config: HfConfig, prefix: string, { linear, norm, has }: Parts) {
  const { num_attention_heads: heads, num_key_value_heads: keyValueHeads, head_dim: size } = config
  const part = (name: string) => linear(prefix + name)
  const [query, key, value] = ['q', 'k', 'v'].map((n) => part(`self_attn.${n}_proj`)) as [
    Linear,
    Linear,
    Linear,
  ]
  const out = part('self_attn.o_proj')
  const [gate, up, down] = [part('mlp.gate_proj'), part('mlp.up_proj'), part('mlp.down_proj')]
  const attentionNorm = norm(`${prefix}input_layernorm`)
  const mlpNorm = norm(`${prefix}post_attention_layernorm`)
  const headNorm = (name: string) =>
    has(`${prefix}self_attn.${name}.weight`) ? norm(`${prefix}self_attn.${name}`) : (x: Vector) => x
  const [queryNorm, keyNorm] = [headNorm('q_norm'), headNorm('k_norm')]
  const headsOf = (x: Vector, count: number) =>
    Array.from({ length: count }, (_, head) => x.slice(head * size, (head + 1) * size))

  return (
    hidden: Vector[],
    positions: readonly number[],
    sees: (i: number, j: number) => boolean,
  ): Vector[] => {
    const normed = hidden.map(attentionNorm)
    const turn = (x: Vector, row: number) => rotate(x, positions[row]!, config.rope_theta)
    const queries = normed.map((x, row) =>
      headsOf(query(x), heads).map((q) => turn(queryNorm(q), row)),
    )
    const keys = normed.map((x, row) =>
      headsOf(key(x), keyValueHeads).map((k) => turn(keyNorm(k), row)),
    )
    const values = normed.map((x) => headsOf(value(x), keyValueHeads))
    return hidden.map((x, i) => {
      const visible = hidden.map((_, j) => j).filter((j) => sees(i, j))
      const mixed = queries[i]!.flatMap((q, head) => {
        const shared = Math.floor((head * keyValueHeads) / heads)
        const scores = visible.map((j) => dot(q, keys[j]![shared]!) / Math.sqrt(size))
        const weights = softmax(scores)
        return q.map((_, d) =>
          visible.reduce((sum, j, index) => sum + weights[index]! * values[j]![shared]![d]!, 0),
        )
      })
      const middle = add(x, out(mixed))
      const inner = mlpNorm(middle)
      const upper = up(inner)
      return add(middle, down(gate(inner).map((g, d) => (g / (1 + Math.exp(-g))) * upper[d]!)))
    })
  }
}

function rotate(x: Vector, position: number, theta: number): Vector {
  const half = x.length / 2
  return x.map((value, i) => {
    const angle = position * theta ** ((-2 * (i % half)) / x.length)
    const pair = i < half ? -x[i + half]! : x[i - half]!
    return value * Math.cos(angle) + pair * Math.sin(angle)
  })
}

export function softmax(scores: Vector): Vector {
  const largest = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - largest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0)
}

function add(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value + b[i]!)
}
