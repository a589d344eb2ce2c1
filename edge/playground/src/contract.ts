import type { GammaPreset, Rule } from '@setblock/shared'

/** Written into the page when it is built: see vite.config.ts. */
declare const SETBLOCK_CONTRACT: {
  readonly gammaPresets: Readonly<Record<GammaPreset, number>>
  readonly rules: readonly Rule[]
  readonly blockLengthMin: number
  readonly seedMax: number
}

export const contract = SETBLOCK_CONTRACT
