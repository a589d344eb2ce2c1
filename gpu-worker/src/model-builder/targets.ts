import type { GraphFile } from '@setblock/shared'

export type GraphForm = Pick<GraphFile, 'provider' | 'precision'>

/** What a model can be built for, by the names that the command line takes. */
export const TARGETS = {
  'cpu-int8': { provider: 'cpu', precision: 'int8' },
  fp32: { provider: 'cpu', precision: 'fp32' },
  'webgpu-q4f16': { provider: 'webgpu', precision: 'q4f16' },
  'webgpu-fp16': { provider: 'webgpu', precision: 'fp16' },
  'webgpu-fp32': { provider: 'webgpu', precision: 'fp32' },
  'cuda-fp16': { provider: 'cuda', precision: 'fp16' },
} as const satisfies Record<string, GraphForm>

export type Target = keyof typeof TARGETS

export function isTarget(name: string): name is Target {
  return Object.hasOwn(TARGETS, name)
}

export function graphName({ provider, precision }: GraphForm): string {
  return provider === 'cpu' ? `graph.${precision}.onnx` : `graph.${provider}-${precision}.onnx`
}
