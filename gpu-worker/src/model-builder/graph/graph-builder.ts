import type { Architecture, GraphFile } from '@setblock/shared'

import { toHalves } from '../float-formats.ts'
import type { OnnxModel, Tensor, Value } from '../onnx-model.ts'
import type { FloatType } from '../weight-forms.ts'

/** The form of a graph's matmuls; fp16 and q4f16 have activations in float16. */
export type Precision = 'int8' | 'fp32' | 'fp16' | 'q4f16'

/** Type of activations. */
export function floatType(precision: Precision): FloatType {
  return precision === 'fp16' || precision === 'q4f16' ? 'float16' : 'float32'
}

/** What runs the graph: each lacks some operators. */
export type Provider = GraphFile['provider']

/**
 * What every stage needs: the graph under construction, the model's shape, the form of its matmuls.
 */
export interface GraphBuilder {
  readonly model: OnnxModel
  readonly architecture: Architecture
  readonly precision: Precision
  readonly provider: Provider
  /** Activations already quantised, by the value they came from. */
  readonly quantised: Map<Value, QuantisedValue>
}

export interface QuantisedValue {
  /** uint8, zero point 128. */
  readonly values: Value
  /** float, one per row. */
  readonly rowScales: Value
}

/** Rows of activations, (..., size), with what it takes to quantise them. */
export interface Rows {
  readonly value: Value
  readonly size: number
  /** uint8 (..., 1) of 128, one per row; unused in fp32. */
  readonly zeroPoints: Value
}

export function constantFloat(builder: GraphBuilder, name: string, value: number): Value {
  return builder.model.initializer(name, floatTensor(builder, [], Float32Array.of(value)))
}

export function constantInts(
  builder: GraphBuilder,
  name: string,
  values: readonly number[],
): Value {
  const data = BigInt64Array.from(values, BigInt)
  return builder.model.initializer(name, { type: 'int64', shape: [values.length], data })
}

export function constantVector(builder: GraphBuilder, name: string, data: Float32Array): Value {
  return builder.model.initializer(name, floatTensor(builder, [data.length], data))
}

/** Constants take the type of the activations that they meet. */
export function floatTensor(
  builder: GraphBuilder,
  shape: readonly number[],
  data: Float32Array,
): Tensor {
  if (floatType(builder.precision) === 'float32') return { type: 'float32', shape, data }
  const halves = new Uint16Array(data.length)
  toHalves(data, halves)
  return { type: 'float16', shape, data: halves }
}
