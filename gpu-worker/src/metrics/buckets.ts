/** Upper bounds of histogram buckets; seconds unless their name says otherwise. */
export const BUCKETS = {
  /** From an idle small model to a queue that is as long as it may get. */
  wait: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  /** Between two events of one stream. */
  gap: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
  /** A whole job. */
  duration: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  tokensPerForward: [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 16],
  nats: [0.05, 0.1, 0.2, 0.35, 0.6, 1, 2, 5, 20],
} as const

/** The bounds by which a requested γ is told apart in a label: those of the named presets. */
const GAMMA_BOUNDS = [0.1, 0.35, 0.6] as const

/** `none` where the mode has no γ, else the smallest bound that is not below it. */
export function gammaLabel(mode: string, gamma: number): string {
  if (mode !== 'sbd') return 'none'
  return String(GAMMA_BOUNDS.find((bound) => gamma <= bound) ?? '+Inf')
}
