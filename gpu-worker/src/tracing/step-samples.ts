/** A reveal of a job, as a trace shows it. */
export interface StepSample {
  /** Milliseconds of the job's clock. */
  readonly atMs: number
  /** The decode forward, from 0. */
  readonly step: number
  readonly tokens: number
}

/** Samples of one job at most. */
export const STEP_SAMPLES_MAX = 32

/**
 * Every so many of a job's reveals: all of them while there are few, then every second, every fourth, and so on, so that
 * a job of any length leaves a bounded number, evenly spread.
 */
export class StepSamples {
  #stride = 1
  #seen = 0
  #kept: StepSample[] = []

  get kept(): readonly StepSample[] {
    return this.#kept
  }

  add(sample: StepSample): void {
    if (this.#seen % this.#stride === 0) {
      if (this.#kept.length === STEP_SAMPLES_MAX) {
        this.#stride *= 2
        this.#kept = this.#kept.filter((_, index) => index % 2 === 0)
      }
      if (this.#seen % this.#stride === 0) this.#kept.push(sample)
    }
    this.#seen += 1
  }
}
