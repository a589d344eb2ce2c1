import { limits } from '@setblock/shared'

import { constantFloat, constantInts, constantVector, floatType } from './graph-builder.ts'
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
  candidates(exact, logits)
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
 * The same in floats, (R): WebGPU casts no int64, and its ArgMax reads a row with one thread. Column
 * c scores columns - c if it holds the maximum, else far below 0, so the first maximum scores best.
 */
function mostLikelyInFloats(builder: GraphBuilder, logits: Value, columns: number): Value {
  const { model } = builder
  const lastAxis = constantInts(builder, 'last_axis', [-1])
  const largest = (name: string, values: Value, keepdims: 0 | 1): Value =>
    model.node(name, 'ReduceMax', [values, lastAxis], {
      attributes: { keepdims: { int: keepdims } },
    })
  const below = model.node('best.below', 'Sub', [logits, largest('best.max', logits, 1)])
  const far = constantFloat(builder, 'best.far', 1e20)
  const order = Float32Array.from({ length: columns }, (_, column) => columns - column)
  const scores = model.node('best.scores', 'Add', [
    model.node('best.out_of_reach', 'Mul', [below, far]),
    constantVector(builder, 'best.order', order),
  ])
  const count = constantFloat(builder, 'best.columns', columns)
  return model.node('best', 'Sub', [count, largest('best.score', scores, 0)])
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
  const logProbabilities = logSoftmax(builder, 'entropy.log_p', wanted)
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

/**
 * On CPU the op, since ReduceLogSumExp costs five times as much as all of the entropy; on WebGPU,
 * which has none, its parts.
 */
function logSoftmax(builder: GraphBuilder, name: string, values: Value): Value {
  const { model } = builder
  if (builder.provider !== 'webgpu') {
    return model.node(name, 'LogSoftmax', [values], { attributes: { axis: { int: -1 } } })
  }
  const reduced = (suffix: string, op: string, of: Value): Value => {
    const lastAxis = constantInts(builder, 'last_axis', [-1])
    return model.node(`${name}.${suffix}`, op, [of, lastAxis], {
      attributes: { keepdims: { int: 1 } },
    })
  }
  const below = model.node(`${name}.below`, 'Sub', [values, reduced('max', 'ReduceMax', values)])
  const total = reduced('total', 'ReduceSum', model.node(`${name}.exp`, 'Exp', [below]))
  return model.node(name, 'Sub', [below, model.node(`${name}.log`, 'Log', [total])])
}

function candidates(builder: GraphBuilder, logits: Value): void {
  const { model } = builder
  model.input(GRAPH.topRows, 'int32', ['P'])
  const wanted = model.node('top.logits', 'Gather', [logits, GRAPH.topRows])
  const count = constantInts(builder, 'top.count', [limits.topKMax])
  const asInt64 = builder.provider === 'webgpu' // which has no cast from it
  const ids = asInt64 ? GRAPH.topIds : 'top.ids_int64'
  model.multiNode({
    name: 'top',
    op: 'TopK',
    inputs: [wanted, count],
    outputs: [GRAPH.topValues, ids],
  })
  if (!asInt64) toInt32(builder, GRAPH.topIds, ids)
  model.output(GRAPH.topValues, 'float32', ['P', limits.topKMax])
  model.output(GRAPH.topIds, asInt64 ? 'int64' : 'int32', ['P', limits.topKMax])
}

/** Token ids fit int32, which JavaScript reads without BigInt. */
function toInt32(builder: GraphBuilder, name: string, value: Value): void {
  builder.model.node(name, 'Cast', [value], { attributes: { to: { int: DATA_TYPES.int32 } } })
}
