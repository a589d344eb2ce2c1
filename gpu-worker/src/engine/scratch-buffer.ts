type Elements = Float32Array | Int32Array | BigInt64Array

/** A buffer that is reused by every forward and reallocated only to hold more than ever before. */
export class ScratchBuffer<T extends Elements> {
  readonly #create: (length: number) => T
  #buffer: T

  constructor(create: (length: number) => T) {
    this.#create = create
    this.#buffer = create(0)
  }

  /** The first `length` elements, with whatever the last user left in them. */
  take(length: number): T {
    if (length > this.#buffer.length) this.#buffer = this.#create(2 ** Math.ceil(Math.log2(length)))
    return this.#buffer.subarray(0, length) as T
  }
}
