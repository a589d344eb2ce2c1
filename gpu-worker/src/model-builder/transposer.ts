import { turnTile } from './turn-tile.ts'
import type { Values } from './turn-tile.ts'

/** Rows that are turned together: one cache line of int8 in the target. */
const TILE_ROWS = 64
/** Bytes behind each row of the tile: rows a power of two apart would fall into one cache set. */
const ROW_PADDING = 64

/**
 * Collects rows (outputs, inputs) into a target that lies the other way round, (inputs, outputs).
 * Neighbouring rows are kept in a tile and turned together, which touches a target line once instead
 * of once for each row.
 */
export class Transposer<T extends Values> {
  readonly #target: T
  readonly #inputs: number
  readonly #outputs: number
  readonly #stride: number
  readonly #tile: T
  #firstOutput = 0
  #rows = 0

  constructor(target: T, inputs: number, outputs: number) {
    this.#target = target
    this.#inputs = inputs
    this.#outputs = outputs
    this.#stride = inputs + ROW_PADDING / target.BYTES_PER_ELEMENT
    const Tile = target.constructor as new (length: number) => T
    this.#tile = new Tile(TILE_ROWS * this.#stride)
  }

  /** Where to write the values of the given row, before the next call. */
  rowFor(output: number): { tile: T; offset: number } {
    if (this.#rows === TILE_ROWS || output !== this.#firstOutput + this.#rows) {
      this.flush()
      this.#firstOutput = output
    }
    const offset = this.#rows * this.#stride
    this.#rows++
    return { tile: this.#tile, offset }
  }

  flush(): void {
    turnTile({
      tile: this.#tile,
      rows: this.#rows,
      stride: this.#stride,
      inputs: this.#inputs,
      target: this.#target,
      outputs: this.#outputs,
      firstOutput: this.#firstOutput,
    })
    this.#rows = 0
  }
}
