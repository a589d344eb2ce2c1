import type { Decoding, Rule } from '@setblock/shared'

export const GAMMAS = [0, 0.01, 0.1, 0.2, 0.35, 0.6, 0.8, 1.5]
export const BLOCK_LENGTHS = [4, 8, 16]
export const RULES: readonly Rule[] = [
  'prefix',
  'strict',
  'entropy-bound',
  'threshold',
  'confidence',
]

export interface Setting {
  readonly name: string
  readonly decoding: Decoding
}

/** Every mode, rule, block length and bound of the grid; `ntp` comes first, the others are paired with it. */
export function gridSettings(rules: readonly Rule[]): Setting[] {
  const base = { gamma: 0.1, rule: 'strict', blockLength: 8 } as const
  return [
    { name: 'ntp', decoding: { ...base, mode: 'ntp' } },
    ...BLOCK_LENGTHS.map((blockLength) => ({
      name: `verified k=${blockLength}`,
      decoding: { ...base, mode: 'verified' as const, blockLength },
    })),
    ...rules.flatMap((rule) =>
      BLOCK_LENGTHS.flatMap((blockLength) =>
        GAMMAS.map((gamma) => ({
          name: sbdName(rule, blockLength, gamma),
          decoding: { mode: 'sbd' as const, rule, blockLength, gamma },
        })),
      ),
    ),
  ]
}

export function sbdName(rule: Rule, blockLength: number, gamma: number): string {
  return `sbd ${rule} k=${blockLength} γ=${gamma}`
}
