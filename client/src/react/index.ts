export { useSetBlock } from './use-set-block.ts'
export type { SendRequest, UseSetBlock } from './use-set-block.ts'
export type { GenerationState, GenerationStatus } from './generation-store.ts'
