import { tensor } from './onnx-graph.ts'
import type { Feed } from './onnx-graph.ts'

type Elements = Float32Array | Int32Array | BigInt64Array

/**
 * A graph input that is reused by every forward: reallocated only to hold more than ever before,
 * and wrapped anew only when its shape changes.
 */
export class FeedBuffer<T extends Elements> {
  readonly #create: (length: number) => T
  #buffer: T
  #data: T
  #shape: readonly number[] = []
  #feed: Feed | undefined

  constructor(create: (length: number) => T) {
    this.#create = create
    this.#buffer = create(0)
    this.#data = this.#buffer
  }

  /** Elements of the given shape, with whatever the last user left in them, and the feed of them. */
  take(shape: readonly number[]): { data: T; feed: Feed } {
    if (this.#feed === undefined || !sameShape(shape, this.#shape)) {
      const length = shape.reduce((product, size) => product * size, 1)
      if (length > this.#buffer.length) {
        this.#buffer = this.#create(2 ** Math.ceil(Math.log2(length)))
      }
      this.#data = this.#buffer.subarray(0, length) as T
      this.#shape = shape
      this.#feed = tensor(this.#data, shape)
    }
    return { data: this.#data, feed: this.#feed }
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis])
}
