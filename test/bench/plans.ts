import type { ShapeName } from './random-models.ts'
import type { ShapeOptions } from './shapes.ts'

/** How much of everything a run measures. */
export interface Plan {
  readonly prompts: number
  readonly rounds: number
  readonly identicalPrompts: number
  readonly httpPrompts: number
  readonly trialPrompts: number
  readonly peerFormats: readonly string[]
  readonly peerThreads: readonly number[]
  readonly streams: readonly number[]
  readonly streamPrompts: number
  readonly streamRounds: number
  /** Long texts decoded side by side to see the gaps between their tokens, and long prompts that join them. */
  readonly stories: number
  readonly longPrompts: number
  readonly rowCounts: readonly number[]
  readonly rowRounds: number
  readonly shapes: readonly ShapeName[]
}

const EIGHT_BITS = { onnx: ['q8', 'int8'], gguf: ['q8_0'] } as const
const EIGHT_AND_FOUR_BITS = { onnx: ['q8', 'int8', 'q4'], gguf: ['q8_0', 'q4_0'] } as const

export const FULL: Plan = {
  prompts: 45,
  rounds: 3,
  identicalPrompts: 500,
  httpPrompts: 45,
  trialPrompts: 5,
  // fp32 and f16 run as well, and never won: they read two to four times the bytes.
  peerFormats: ['q8', 'int8', 'q4', 'q8_0', 'q4_0'],
  peerThreads: [1, 2],
  streams: [1, 4, 8],
  streamPrompts: 63,
  streamRounds: 2,
  stories: 24,
  longPrompts: 12,
  rowCounts: [1, 2, 4, 8, 16, 24, 32, 48, 64],
  rowRounds: 20,
  shapes: ['nano-4k', '25M', '100M', '500M'],
}

export const QUICK: Plan = {
  prompts: 18,
  rounds: 1,
  identicalPrompts: 90,
  httpPrompts: 9,
  trialPrompts: 5,
  peerFormats: ['int8', 'q8_0'],
  peerThreads: [1],
  streams: [1, 8],
  streamPrompts: 36,
  streamRounds: 1,
  stories: 8,
  longPrompts: 4,
  rowCounts: [1, 16, 32],
  rowRounds: 10,
  shapes: [],
}

export const SHAPE_PLANS: readonly Omit<ShapeOptions, 'acceptance'>[] = [
  { shape: 'nano-4k', contexts: [128, 1024, 4096], tokens: 48, rounds: 3, formats: EIGHT_BITS },
  { shape: '25M', contexts: [128], tokens: 48, rounds: 3, formats: EIGHT_AND_FOUR_BITS },
  { shape: '100M', contexts: [128], tokens: 32, rounds: 3, formats: EIGHT_AND_FOUR_BITS },
  { shape: '500M', contexts: [128], tokens: 16, rounds: 3, formats: EIGHT_AND_FOUR_BITS },
]
