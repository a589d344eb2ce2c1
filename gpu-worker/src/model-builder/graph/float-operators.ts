import { limits } from '@setblock/shared'

import { constantFloat, constantInts, constantVector } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { GRAPH } from '../../engine/graph-contract.ts'
import type { Value } from '../onnx-model.ts'

/**
 * Operators of the head for WebGPU, which has no LogSoftmax, casts no int64, and lacks what would
 * make its ArgMax and TopK fast. All in float32, which holds token ids exactly.
 */

/** More columns are sorted by a hundred dispatches, no more by one. */
const SORTED_COLUMNS_MAX = 2048

/** The parts of a LogSoftmax over the last axis. */
export function logSoftmaxInFloats(builder: GraphBuilder, name: string, values: Value): Value {
  const { model } = builder
  const largest = lastAxis(builder, `${name}.max`, 'ReduceMax', values, 1)
  const below = model.node(`${name}.below`, 'Sub', [values, largest])
  const terms = model.node(`${name}.exp`, 'Exp', [below])
  const total = lastAxis(builder, `${name}.total`, 'ReduceSum', terms, 1)
  return model.node(name, 'Sub', [below, model.node(`${name}.log`, 'Log', [total])])
}

/**
 * Index of each row's largest value, the first of equals: (R). Column c scores columns - c if it
 * holds the maximum, else far below 0, so that the first maximum scores best.
 */
export function mostLikelyInFloats(builder: GraphBuilder, logits: Value, columns: number): Value {
  const { model } = builder
  const largest = lastAxis(builder, 'best.max', 'ReduceMax', logits, 1)
  const below = model.node('best.below', 'Sub', [logits, largest])
  const order = Float32Array.from({ length: columns }, (_, column) => columns - column)
  const scores = model.node('best.scores', 'Add', [
    model.node('best.out_of_reach', 'Mul', [below, constantFloat(builder, 'best.far', 1e20)]),
    constantVector(builder, 'best.order', order),
  ])
  const score = lastAxis(builder, 'best.score', 'ReduceMax', scores, 0)
  return model.node('best', 'Sub', [constantFloat(builder, 'best.columns', columns), score])
}

/**
 * The largest values of each row, descending, as `top_values` (P, topKMax), and their columns, the
 * first of equals before the others: (P, topKMax). Wide rows are cut into parts that one dispatch
 * can sort, whose best are cut again until one part is left. The columns go along as numbers.
 */
export function topInFloats(builder: GraphBuilder, rows: Value, columns: number): Value {
  const { model } = builder
  const zeros = model.node('top.zeros', 'Mul', [rows, constantFloat(builder, 'top.zero', 0)])
  const every = Float32Array.from({ length: columns }, (_, column) => column)
  const order = constantVector(builder, 'top.order', every)
  let values = rows
  let indices = model.node('top.columns', 'Add', [zeros, order])
  let left = columns
  for (let level = 0; ; level++) {
    const width = partWidth(left)
    const isLast = width === left
    const name = `top.${level}`
    if (!isLast) {
      values = reshaped(builder, `${name}.value_parts`, values, width)
      indices = reshaped(builder, `${name}.index_parts`, indices, width)
    }
    const [best, places] = [isLast ? GRAPH.topValues : `${name}.values`, `${name}.places`]
    const count = constantInts(builder, 'top.count', [limits.topKMax])
    model.multiNode({ name, op: 'TopK', inputs: [values, count], outputs: [best, places] })
    indices = model.node(`${name}.indices`, 'GatherElements', [indices, places], {
      attributes: { axis: { int: -1 } },
    })
    if (isLast) return indices
    left = (left / width) * limits.topKMax
    values = reshaped(builder, `${name}.best_values`, best, left)
    indices = reshaped(builder, `${name}.best_indices`, indices, left)
  }
}

/**
 * The widest part that rows of so many columns can be cut into evenly; all of them where no cut
 * leaves fewer for the next level.
 */
export function partWidth(columns: number): number {
  if (columns <= SORTED_COLUMNS_MAX) return columns
  for (let width = SORTED_COLUMNS_MAX; width > 2 * limits.topKMax; width--) {
    if (columns % width === 0) return width
  }
  return columns
}

function reshaped(builder: GraphBuilder, name: string, value: Value, width: number): Value {
  const shape = constantInts(builder, `top.shape.${width}`, [-1, width])
  return builder.model.node(name, 'Reshape', [value, shape])
}

function lastAxis(
  builder: GraphBuilder,
  name: string,
  op: 'ReduceMax' | 'ReduceSum',
  values: Value,
  keepdims: 0 | 1,
): Value {
  const axis = constantInts(builder, 'last_axis', [-1])
  return builder.model.node(name, op, [values, axis], {
    attributes: { keepdims: { int: keepdims } },
  })
}
