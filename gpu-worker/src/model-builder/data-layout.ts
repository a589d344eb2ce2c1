import { DATA_ALIGNMENT_BYTES } from './limits.ts'
import { tensorBytes } from './onnx-model.ts'
import type { LazyTensor, WeightSource } from './onnx-model.ts'

/** A constant's place in the data file. */
export interface PlacedTensor {
  readonly name: string
  readonly index: number
  readonly offset: number
  readonly bytes: number
}

/** Constants that are made together lie together. */
export interface PlacedSource {
  readonly source: WeightSource
  readonly tensors: readonly PlacedTensor[]
  /** Offset behind its last tensor. */
  readonly end: number
}

/** Where each constant goes in a data file that holds all of them, each at an aligned offset. */
export function layOut(lazy: ReadonlyMap<string, LazyTensor>): PlacedSource[] {
  const bySource = new Map<WeightSource, [string, LazyTensor][]>()
  for (const [name, tensor] of lazy) {
    const known = bySource.get(tensor.source)
    if (known === undefined) bySource.set(tensor.source, [[name, tensor]])
    else known.push([name, tensor])
  }
  let end = 0
  return [...bySource].map(([source, named]) => {
    const tensors = named.map(([name, tensor]) => {
      const offset = Math.ceil(end / DATA_ALIGNMENT_BYTES) * DATA_ALIGNMENT_BYTES
      const bytes = tensorBytes(tensor)
      end = offset + bytes
      return { name, index: tensor.index, offset, bytes }
    })
    return { source, tensors, end }
  })
}
