import * as z from 'zod'
import { limits } from './limits.ts'

/** Entropy bounds in nats by name, for callers who would rather not think in nats. */
export const GAMMA_PRESETS = Object.freeze({ low: 0.1, balanced: 0.35, high: 0.6 })

export type GammaPreset = keyof typeof GAMMA_PRESETS

const presetNames = Object.keys(GAMMA_PRESETS) as [GammaPreset, ...GammaPreset[]]
const range = `must be a number from 0 to ${limits.gammaMax}`
const rangeOrName = `${range} or one of ${presetNames.join(', ')}`

/** An entropy bound: nats that one reveal set may spend. */
export const gammaSchema = gammaNumber(range)

/** What a client may write for `gamma`; parses to nats. A number in a string is not a number. */
export const gammaInputSchema = z.union(
  [gammaNumber(rangeOrName), z.enum(presetNames).transform((name) => GAMMA_PRESETS[name])],
  { error: rangeOrName },
)

function gammaNumber(error: string) {
  return z.number({ error }).min(0, { error }).max(limits.gammaMax, { error })
}
