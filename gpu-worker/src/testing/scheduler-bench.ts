import assert from 'node:assert/strict'
import type { Job, JobEvent } from '@setblock/shared'
import { RowCost } from '../scheduler/row-cost.ts'
import { Scheduler, type SchedulerOptions } from '../scheduler/scheduler.ts'
import { TOY_MASK, ToyEngine, type ToyOptions } from './toy-engine.ts'

/** A job of the toy language; ids make its prompt. */
export const job = (id: string, change: Partial<Job> = {}): Job => ({
  id,
  model: 'toy',
  tokenIds: [1, 8 + id.length, 20 + (id.charCodeAt(0) % 20)],
  maxTokens: 40,
  stopTokenIds: [],
  decoding: { mode: 'sbd', gamma: 0.35, blockLength: 8, rule: 'strict' },
  sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
  ...change,
})

/** 0.4 ms with one row, 0.5 ms more with 33. */
export const FLAT_COST = new RowCost([
  { rows: 1, ms: 0.4 },
  { rows: 33, ms: 0.9 },
])

export interface Bench {
  readonly engine: ToyEngine
  readonly scheduler: Scheduler
  /** Submits and resolves with all events of the job when its terminal one has come. */
  readonly events: (job: Job, onEvent?: (event: JobEvent) => void) => Promise<JobEvent[]>
  readonly clock: { nowMs: number }
  readonly stopped: Promise<void>
  readonly faults: unknown[]
}

/** A scheduler at work on a toy engine, on a clock that only moves by hand. */
export function start(
  options: Partial<ToyOptions> &
    Partial<Pick<SchedulerOptions, 'runningMax' | 'measureAgain' | 'costIsRough'>> = {},
): Bench {
  const engine = new ToyEngine({ missRate: 0.3, ...options })
  const clock = { nowMs: 0 }
  const runningMax = options.runningMax ?? 1
  const now = (): number => clock.nowMs
  const faults: unknown[] = []
  const scheduler = new Scheduler({
    engine,
    maskTokenId: TOY_MASK,
    runningMax,
    cost: FLAT_COST,
    ...(options.measureAgain && { measureAgain: options.measureAgain }),
    costIsRough: options.costIsRough ?? false,
    now,
    onFault: (error) => faults.push(error),
  })
  const stopped = scheduler.run()
  const events: Bench['events'] = (submitted, onEvent) =>
    new Promise((resolve) => {
      const seen: JobEvent[] = []
      scheduler.submit(submitted, (event) => {
        assert.ok(!isTerminal(seen.at(-1)), 'an event after the terminal one')
        seen.push(event)
        onEvent?.(event)
        if (isTerminal(event)) setTimeout(resolve, 0, seen)
      })
    })
  return { engine, scheduler, events, clock, stopped, faults }
}

export const isTerminal = (event: JobEvent | undefined): boolean =>
  event?.type === 'end' || event?.type === 'error'

/** Tokens in order of position. */
export const text = (events: readonly JobEvent[]): number[] => {
  const tokens = new Map<number, number>()
  for (const event of events) {
    if (event.type !== 'reveal') continue
    for (const [index, at] of event.positions.entries()) tokens.set(at, event.tokenIds[index]!)
  }
  return [...tokens].sort(([a], [b]) => a - b).map(([, token]) => token)
}
