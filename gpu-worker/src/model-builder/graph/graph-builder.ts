import type { Architecture } from '@setblock/shared'

import type { OnnxModel, Value } from '../onnx-model.ts'

export type Precision = 'int8' | 'fp32'

/**
 * What every stage needs: the graph under construction, the model's shape, the form of its matmuls.
 */
export interface GraphBuilder {
  readonly model: OnnxModel
  readonly architecture: Architecture
  readonly precision: Precision
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
  return builder.model.initializer(name, {
    type: 'float32',
    shape: [],
    data: Float32Array.of(value),
  })
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
  return builder.model.initializer(name, { type: 'float32', shape: [data.length], data })
}
