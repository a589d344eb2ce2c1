import type { RowCost } from './row-cost.ts'

/** How often an engine measures beside its work, if what it knows is rough. */
const BESIDE_EVERY_MS = 2000

export interface MeasuredCostOptions {
  /** What rows cost on this machine, as far as it is known. */
  readonly cost: RowCost
  /** Measures on, in a free sequence and while `mayGoOn`; undefined: not worth it any more. */
  readonly measureAgain?: (mayGoOn: () => boolean) => Promise<RowCost | undefined>
  /** Whether `cost` was measured on a busy machine, so that it is to be measured on beside work too. */
  readonly costIsRough?: boolean
  /** Milliseconds, monotonic. */
  readonly now: () => number
}

/** What rows cost, by all that was measured so far. */
export class MeasuredCost {
  readonly #options: MeasuredCostOptions
  #cost: RowCost
  #measureAgain: MeasuredCostOptions['measureAgain']
  #measuredMs: number

  constructor(options: MeasuredCostOptions) {
    this.#options = options
    this.#cost = options.cost
    this.#measureAgain = options.measureAgain
    this.#measuredMs = options.now()
  }

  get current(): RowCost {
    return this.#cost
  }

  /** Whether there may be more to learn. */
  get isOpen(): boolean {
    return this.#measureAgain !== undefined
  }

  async measureOn(mayGoOn: () => boolean): Promise<void> {
    if (this.#measureAgain === undefined) return
    const cost = await this.#measureAgain(mayGoOn)
    this.#measuredMs = this.#options.now()
    if (cost === undefined) this.#measureAgain = undefined
    else this.#cost = cost
  }

  /** A few forwards between those of the streams, now and then: who is never idle must not stay misled. */
  async measureBeside(mayGoOn: () => boolean): Promise<void> {
    const { costIsRough = false, now } = this.#options
    if (costIsRough && now() - this.#measuredMs >= BESIDE_EVERY_MS) await this.measureOn(mayGoOn)
  }
}
