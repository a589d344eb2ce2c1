import type { PlacedSource } from './data-layout.ts'

/** The bytes of the tensors of one source. */
export type MadeWeights = readonly ArrayBufferView[]

/** Makes the weights of a graph, source by source. */
export interface WeightMaker {
  /** How many sources may be asked for at a time. */
  readonly ahead: number
  /** @param index of the source, in the order of `layOut` */
  make(index: number): Promise<MadeWeights>
}

/** Makes them where it is called, one at a time. */
export function makeHere(sources: readonly PlacedSource[]): WeightMaker {
  return {
    ahead: 1,
    make: (index) => sources[index]!.source.produce(),
  }
}
