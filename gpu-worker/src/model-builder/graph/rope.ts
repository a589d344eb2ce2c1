import { floatTensor } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'

/**
 * Rotation tables, (positions, D/2), half-split convention: element i pairs with element i + D/2,
 * and turns by position * theta^(-2i/D). Computed in double precision.
 */
export function addRopeTables(builder: GraphBuilder, positions: number): void {
  const { headSize, ropeTheta } = builder.architecture
  const half = headSize / 2
  const cos = new Float32Array(positions * half)
  const sin = new Float32Array(positions * half)
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * ropeTheta ** ((-2 * i) / headSize)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  const shape = [positions, half]
  builder.model.initializer('rope.cos', floatTensor(builder, shape, cos))
  builder.model.initializer('rope.sin', floatTensor(builder, shape, sin))
}
