import type { Decoding, Manifest } from '@setblock/shared'

export interface Configuration {
  readonly name: string
  readonly decoding: Decoding
}

export const GAMMAS = [0.1, 0.35, 0.6]
export const BLOCK_LENGTHS = [8, 16]

/** Names of the settings at the model's own block length, as results carry them. */
export const NTP = 'ntp'
export const VERIFIED = 'verified'
export const sbd = (gamma: number): string => `sbd_${gamma}`

/** ntp, then verified and sbd at the model's own block length, then the same at others: `verified_k16`. */
export function configurations({ defaults }: Pick<Manifest, 'defaults'>): Configuration[] {
  const ntp = { name: NTP, decoding: { ...defaults, mode: 'ntp' as const } }
  const others = BLOCK_LENGTHS.filter((blockLength) => blockLength !== defaults.blockLength)
  return [
    ntp,
    ...severalAtATime(defaults, ''),
    ...others.flatMap((blockLength) =>
      severalAtATime({ ...defaults, blockLength }, `_k${blockLength}`),
    ),
  ]
}

function severalAtATime(base: Decoding, suffix: string): Configuration[] {
  return [
    { name: `${VERIFIED}${suffix}`, decoding: { ...base, mode: 'verified' } },
    ...GAMMAS.map((gamma) => ({
      name: `${sbd(gamma)}${suffix}`,
      decoding: { ...base, mode: 'sbd' as const, gamma },
    })),
  ]
}
