import type { Random } from '../random.ts'

/** What can happen to one worker, to the way to it, to the disk under all, or to the edge. */
export type FaultKind =
  | 'reset'
  | 'cut'
  | 'hold'
  | 'delay'
  | 'narrow'
  | 'pause'
  | 'kill'
  | 'drain'
  | 'disk-full'
  | 'disk-stall'
  | 'clock'
  | 'edge-clock'
  | 'edge-kill'
  | 'edge-drain'

export interface Fault {
  readonly serial: number
  readonly kind: FaultKind
  /** Index of the worker that it is about, if it is about one. */
  readonly worker: number
  /** Milliseconds for which it lasts. */
  readonly lastsMs: number
  /** Milliseconds until the next one, which may come while this one lasts. */
  readonly gapMs: number
  /** Milliseconds of delay, bytes a second, or milliseconds that a clock jumps. */
  readonly amount: number
}

interface Recipe {
  /** How often it comes among the others. */
  readonly weight: number
  readonly lastsMs: readonly [number, number]
  readonly amounts?: readonly number[]
}

const MINUTE_MS = 60_000
/** Within what the parties forgive each other, and far beyond it. */
const JUMPS_MS = [-10_000, 10_000, -10 * MINUTE_MS, 10 * MINUTE_MS]

const RECIPES: Readonly<Record<FaultKind, Recipe>> = {
  reset: { weight: 16, lastsMs: [0, 0] },
  cut: { weight: 11, lastsMs: [50, 1500] },
  hold: { weight: 8, lastsMs: [100, 4000] },
  delay: { weight: 12, lastsMs: [200, 2000], amounts: [20, 80, 300] },
  narrow: { weight: 8, lastsMs: [200, 2000], amounts: [1000, 5000, 20_000] },
  pause: { weight: 14, lastsMs: [50, 2500] },
  kill: { weight: 13, lastsMs: [0, 800] },
  drain: { weight: 4, lastsMs: [0, 300] },
  'disk-full': { weight: 4, lastsMs: [100, 1000] },
  'disk-stall': { weight: 4, lastsMs: [100, 1500] },
  clock: { weight: 4, lastsMs: [300, 2000], amounts: JUMPS_MS },
  'edge-clock': { weight: 2, lastsMs: [300, 1500], amounts: JUMPS_MS },
  'edge-kill': { weight: 2, lastsMs: [0, 300] },
  'edge-drain': { weight: 2, lastsMs: [0, 300] },
}
const KINDS = Object.keys(RECIPES) as FaultKind[]
const GAP_MS_MAX = 700

/** The whole run, decided before it begins: the same random numbers make the same faults. */
export function planFaults(random: Random, count: number, workers: number): Fault[] {
  const urn = KINDS.flatMap((kind) => Array.from({ length: RECIPES[kind].weight }, () => kind))
  return Array.from({ length: count }, (_, serial) => {
    const kind = random.pick(urn)
    const { lastsMs, amounts = [0] } = RECIPES[kind]
    const [shortest, longest] = lastsMs
    return {
      serial,
      kind,
      worker: random.below(workers),
      lastsMs: shortest + random.below(longest - shortest + 1),
      gapMs: random.below(GAP_MS_MAX),
      amount: random.pick(amounts),
    }
  })
}
