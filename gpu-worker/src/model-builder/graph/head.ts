import { limits } from '@setblock/shared'

import { logSoftmaxInFloats, mostLikelyInFloats, topInFloats } from './float-operators.ts'
import { constantInts, floatType } from './graph-builder.ts'
import type { GraphBuilder, Rows } from './graph-builder.ts'
import { linearWithout } from './linear.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import { DATA_TYPES, type Value } from '../onnx-model.ts'
import type { Matrix } from '../matrix.ts'

export interface HeadOptions {
  readonly weights: Matrix
  /** Never predicted, never a candidate, no part of the entropy. */
  readonly maskTokenId: number
  /** Adds the `logits` output; for parity tests. */
  readonly logits: boolean
}

/**
 * The read rows (R, hidden) to ids, entropies and candidates: kilobytes leave the graph, not
 * logits.
 */
export function head(builder: GraphBuilder, rows: Rows, options: HeadOptions): void {
  const { model } = builder
  const { outputs } = options.weights
  const logits = floatLogits(builder, rows, options)
  // Behind the logits everything is float32, whatever the weights are.
  const exact: GraphBuilder = { ...builder, precision: 'fp32' }
  const best = builder.provider === 'webgpu' ? mostLikelyInFloats : mostLikely
  toInt32(builder, GRAPH.ids, best(exact, logits, outputs))
  model.output(GRAPH.ids, 'int32', ['R'])
  entropyAndLogprob(exact, logits)
  candidates(exact, logits, outputs)
  if (options.logits) model.output(GRAPH.logits, 'float32', ['R', outputs])
}

/** (R, V) float32, the mask token out of reach. */
function floatLogits(builder: GraphBuilder, rows: Rows, options: HeadOptions): Value {
  const matrix = { matrix: options.weights, blocked: [options.maskTokenId] }
  if (floatType(builder.precision) === 'float32') {
    return linearWithout(builder, GRAPH.logits, rows, matrix)
  }
  const half = linearWithout(builder, 'logits.half', rows, matrix)
  return builder.model.node(GRAPH.logits, 'Cast', [half], {
    attributes: { to: { int: DATA_TYPES.float32 } },
  })
}

/**
 * Index of each row's largest logit, the first of equals: int64 (R). In two steps, the block of
 * columns that holds the largest and then the column within it, since the runtime takes a maximum
 * several times faster than an ArgMax over a whole row.
 */
function mostLikely(builder: GraphBuilder, logits: Value, columns: number): Value {
  const { model } = builder
  const pick = (name: string, values: Value, keepdims: 0 | 1): Value =>
    model.node(name, 'ArgMax', [values], {
      attributes: { axis: { int: -1 }, keepdims: { int: keepdims } },
    })
  const width = blockWidth(columns)
  if (width === undefined) return pick('best', logits, 0)
  const shape = constantInts(builder, 'best.blocks_shape', [0, columns / width, width])
  const blocks = model.node('best.blocks', 'Reshape', [logits, shape])
  const lastAxis = constantInts(builder, 'last_axis', [-1])
  const maxima = model.node('best.maxima', 'ReduceMax', [blocks, lastAxis], {
    attributes: { keepdims: { int: 0 } },
  })
  const block = pick('best.block', maxima, 1) // (R, 1)
  const inside = model.node('best.inside', 'GatherND', [blocks, block], {
    attributes: { batch_dims: { int: 1 } },
  })
  const column = pick('best.column', inside, 1)
  const first = model.node('best.first', 'Mul', [
    block,
    constantInts(builder, 'best.width', [width]),
  ])
  const index = model.node('best.index', 'Add', [first, column])
  return model.node('best', 'Reshape', [index, lastAxis]) // [-1] flattens
}

/**
 * The largest divisor from 128 down, at most half of the row; below 16 the detour would not pay.
 */
function blockWidth(columns: number): number | undefined {
  const widest = Math.min(128, columns / 2)
  for (let width = Math.floor(widest); width >= 16; width--) if (columns % width === 0) return width
  return undefined
}

/** -sum(p log p), and the largest log p, which is that of the most likely token. */
function entropyAndLogprob(builder: GraphBuilder, logits: Value): void {
  const { model } = builder
  model.input(GRAPH.entropyRows, 'int32', ['E'])
  const wanted = model.node('entropy.logits', 'Gather', [logits, GRAPH.entropyRows])
  const logarithms = builder.provider === 'webgpu' ? logSoftmaxInFloats : logSoftmax
  const logProbabilities = logarithms(builder, 'entropy.log_p', wanted)
  const probabilities = model.node('entropy.p', 'Exp', [logProbabilities])
  const terms = model.node('entropy.terms', 'Mul', [probabilities, logProbabilities])
  const lastAxis = constantInts(builder, 'last_axis', [-1])
  const sum = model.node('entropy.sum', 'ReduceSum', [terms, lastAxis], {
    attributes: { keepdims: { int: 0 } },
  })
  model.node(GRAPH.entropy, 'Neg', [sum])
  model.output(GRAPH.entropy, 'float32', ['E'])
  model.node(GRAPH.logprob, 'ReduceMax', [logProbabilities, lastAxis], {
    attributes: { keepdims: { int: 0 } },
  })
  model.output(GRAPH.logprob, 'float32', ['E'])
}

/** The op, since ReduceLogSumExp costs five times as much as all of the entropy. */
function logSoftmax(builder: GraphBuilder, name: string, values: Value): Value {
  return builder.model.node(name, 'LogSoftmax', [values], { attributes: { axis: { int: -1 } } })
}

function candidates(builder: GraphBuilder, logits: Value, columns: number): void {
  const { model, provider } = builder
  model.input(GRAPH.topRows, 'int32', ['P'])
  const wanted = model.node('top.logits', 'Gather', [logits, GRAPH.topRows])
  const top = provider === 'webgpu' ? topInFloats : topByOp
  toInt32(builder, GRAPH.topIds, top(builder, wanted, columns))
  model.output(GRAPH.topValues, 'float32', ['P', limits.topKMax])
  model.output(GRAPH.topIds, 'int32', ['P', limits.topKMax])
}

/** `top_values` (P, topKMax), and their columns: int64 (P, topKMax). */
function topByOp(builder: GraphBuilder, rows: Value): Value {
  const count = constantInts(builder, 'top.count', [limits.topKMax])
  const outputs = [GRAPH.topValues, 'top.ids_int64'] as const
  builder.model.multiNode({ name: 'top', op: 'TopK', inputs: [rows, count], outputs })
  return outputs[1]
}

/** Token ids fit int32, which JavaScript reads without BigInt. */
function toInt32(builder: GraphBuilder, name: string, value: Value): void {
  builder.model.node(name, 'Cast', [value], { attributes: { to: { int: DATA_TYPES.int32 } } })
}
