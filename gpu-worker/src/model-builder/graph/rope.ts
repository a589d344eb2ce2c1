import { floatTensor } from './graph-builder.ts'
import type { GraphBuilder } from './graph-builder.ts'
import { ropeTables } from '../rope-tables.ts'

/** Adds the rotation tables of so many positions, scaling included. */
export function addRopeTables(builder: GraphBuilder, positions: number): void {
  const { cos, sin } = ropeTables(builder.architecture, positions)
  const shape = [positions, builder.architecture.headSize / 2]
  builder.model.initializer('rope.cos', floatTensor(builder, shape, cos))
  builder.model.initializer('rope.sin', floatTensor(builder, shape, sin))
}
