import type { GraphBuilder, Rows } from './graph-builder.ts'
import { linear } from './linear.ts'
import { MICROSOFT, type Value } from '../onnx-model.ts'
import type { LayerWeights } from '../weights.ts'

/** SwiGLU: down(silu(gate(x)) * up(x)). Two matmuls: splitting the rows of one would copy them. */
export function mlp(builder: GraphBuilder, name: string, rows: Rows, weights: LayerWeights): Value {
  const { model, architecture } = builder
  const gate = linear(builder, `${name}.gate`, rows, weights.gate)
  const up = linear(builder, `${name}.up`, rows, weights.up)
  // x * sigmoid(alpha x): SiLU at alpha 1.
  const silu = model.node(`${name}.silu`, 'QuickGelu', [gate], {
    domain: MICROSOFT,
    attributes: { alpha: { float: 1 } },
  })
  const value = model.node(`${name}.gated`, 'Mul', [silu, up])
  const gated = { ...rows, value, size: architecture.intermediateSize }
  return linear(builder, `${name}.down`, gated, weights.down)
}
