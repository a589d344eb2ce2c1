import type { BuildProgress } from '../../gpu-worker/src/model-builder/build-model.ts'

/** Where progress is shown: standard error, or a test's stand-in. */
export interface ProgressScreen {
  write(text: string): unknown
  readonly isTTY?: boolean
}

const BAR_COLUMNS = 30
/** Between two redraws of the bar. */
const REDRAW_MS = 100
/** Where there is no terminal: a line for each quarter of a stage. */
const LINES_PER_STAGE = 4

/** Before this, a rate would be a guess. */
const RATE_SECONDS_MIN = 1

/** Shows a build's progress as a bar in a terminal, and as a few lines elsewhere. */
export class ProgressView {
  readonly #screen: ProgressScreen
  readonly #now: () => number
  #stage = ''
  #startMs = 0
  #drawnMs = -Infinity
  #quarter = 0

  constructor(screen: ProgressScreen, now: () => number) {
    this.#screen = screen
    this.#now = now
  }

  show(progress: BuildProgress): void {
    if (progress.stage !== this.#stage) {
      this.#stage = progress.stage
      this.#startMs = this.#now()
      this.#drawnMs = -Infinity
      this.#quarter = 0
    }
    if (this.#screen.isTTY === true) this.#draw(progress)
    else this.#line(progress)
  }

  #draw(progress: BuildProgress): void {
    const isDone = progress.bytesDone >= progress.bytesTotal
    if (!isDone && this.#now() - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = this.#now()
    const share = shareOf(progress)
    const filled = Math.floor(share * BAR_COLUMNS)
    const bar = '#'.repeat(filled) + '.'.repeat(BAR_COLUMNS - filled)
    // Back to the line's beginning, and what the last drawing had beyond this one is erased.
    this.#screen.write(`\r[${bar}] ${this.#text(progress)}\u001B[K${isDone ? '\n' : ''}`)
  }

  #line(progress: BuildProgress): void {
    const quarter = Math.floor(shareOf(progress) * LINES_PER_STAGE)
    if (quarter === this.#quarter) return
    this.#quarter = quarter
    this.#screen.write(`${this.#text(progress)}\n`)
  }

  #text(progress: BuildProgress): string {
    const { stage, bytesDone, bytesTotal, bytesResumed } = progress
    const seconds = (this.#now() - this.#startMs) / 1000
    const perSecond = Math.round((bytesDone - bytesResumed) / 1e6 / seconds)
    const rate = seconds >= RATE_SECONDS_MIN ? `, ${perSecond} MB/s` : ''
    const resumed = bytesResumed > 0 ? `, ${megabytes(bytesResumed)} of an earlier build` : ''
    const percent = Math.floor(100 * shareOf(progress))
    return `${stageName(stage)}: ${percent} % of ${megabytes(bytesTotal)}${rate}${resumed}`
  }
}

function stageName(stage: string): string {
  return stage === 'digest' ? 'checkpoint' : stage
}

function shareOf({ bytesDone, bytesTotal }: BuildProgress): number {
  return bytesTotal === 0 ? 1 : bytesDone / bytesTotal
}

export function megabytes(bytes: number): string {
  return bytes < 1e7 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.round(bytes / 1e6)} MB`
}
