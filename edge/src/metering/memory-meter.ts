import { advance, decide, freshMeter, settled } from './meter.ts'
import type { Meter, MeterState } from './meter.ts'
import type { Allowance } from '../auth/api-key.ts'

/** Meters in the memory of one process: exact as long as there is one, which is so on Node. */
export function createMemoryMeter(options: {
  clock: () => number
  /** Tokens that a key has used this month, from its usage records: what a restart must not forget. */
  monthTokens(this: void, keyId: string, now: number): Promise<number>
  metersMax: number
}): Meter {
  const { clock, monthTokens, metersMax } = options
  const meters = new Map<string, MeterState>()

  async function load(keyId: string, allowance: Allowance): Promise<void> {
    if (meters.has(keyId)) return
    const used = await monthTokens(keyId, clock())
    // Whoever asked at the same time may have been faster, and have charged something since.
    if (!meters.has(keyId)) meters.set(keyId, freshMeter(allowance, clock(), used))
  }

  /** Reads and writes a loaded meter without waiting in between, so that no request slips in. */
  function change<T>(
    keyId: string,
    allowance: Allowance,
    step: (state: MeterState) => { state: MeterState; result: T },
  ): T {
    const before = meters.get(keyId) ?? freshMeter(allowance, clock())
    const { state, result } = step(advance(before, allowance, clock()))
    keep(keyId, state)
    return result
  }

  /** Latest last. The oldest goes: its buckets are full again unless keys are many and busy. */
  function keep(keyId: string, state: MeterState): void {
    meters.delete(keyId)
    meters.set(keyId, state)
    if (meters.size > metersMax) meters.delete(meters.keys().next().value as string)
  }

  return {
    async admit(keyId, allowance, estimatedTokens) {
      await load(keyId, allowance)
      return change(keyId, allowance, (now) => {
        const { verdict, state } = decide(now, allowance, estimatedTokens)
        return { state, result: verdict }
      })
    },
    async settle({ keyId, allowance, receipt, usedTokens }) {
      await load(keyId, allowance)
      change(keyId, allowance, (now) => ({
        state: settled(now, allowance, receipt, usedTokens),
        result: undefined,
      }))
    },
  }
}
