import { performance } from 'node:perf_hooks'

import { DEVICE_RUNTIME } from './device-pools.ts'
import { OnnxGraph, tensor } from './onnx-graph.ts'
import { OnnxModel } from '../model-builder/onnx-model.ts'

/** What was found: `gigaflops` tells a GPU from a driver that only pretends to be one. */
export type WebGpuProbe =
  | { readonly ok: true; readonly gigaflops: number }
  | { readonly ok: false; readonly reason: string }

/** Side of the matrices that are multiplied: 0.27 GFLOP, under a millisecond on a real GPU. */
const SIDE = 512
const RUNS = 4

/** Less than any real GPU does, and more than a software driver on any machine we know. */
const GIGAFLOPS_MIN = 100

/** Whether the device beats a CPU, for who has not asked for it by name. */
export function isWorthUsing(probe: WebGpuProbe): boolean {
  return probe.ok && probe.gigaflops >= GIGAFLOPS_MIN
}

/**
 * Multiplies matrices on the WebGPU device. The runtime does not tell the adapter's name, so that a
 * software driver shows only by its speed. Only in the thread that is going to use the device.
 */
export async function probeWebGpu(): Promise<WebGpuProbe> {
  let graph: OnnxGraph
  try {
    graph = await OnnxGraph.load(squareGraph(), DEVICE_RUNTIME)
  } catch (error) {
    return { ok: false, reason: reasonOf(error) }
  }
  try {
    const matrix = tensor(new Float32Array(SIDE * SIDE).fill(1), [SIDE, SIDE])
    let fastestMs = Infinity
    for (let run = 0; run < RUNS; run++) {
      const startMs = performance.now()
      const { total } = await graph.run({ matrix }, ['total'])
      const milliseconds = performance.now() - startMs
      const sum = (total!.data as Float32Array)[0]
      if (sum !== SIDE) return { ok: false, reason: `a product is ${sum}, not ${SIDE}` }
      fastestMs = Math.min(fastestMs, milliseconds)
    }
    return { ok: true, gigaflops: (2 * SIDE ** 3) / (fastestMs * 1e6) }
  } catch (error) {
    return { ok: false, reason: reasonOf(error) }
  } finally {
    await graph.dispose()
  }
}

/** The largest entry of matrix * matrix: 1 number to copy back. */
function squareGraph(): Uint8Array {
  const model = new OnnxModel()
  model.input('matrix', 'float32', [SIDE, SIDE])
  model.node('product', 'MatMul', ['matrix', 'matrix'])
  const axes = model.initializer('axes', {
    type: 'int64',
    shape: [2],
    data: BigInt64Array.of(0n, 1n),
  })
  model.node('total', 'ReduceMax', ['product', axes], { attributes: { keepdims: { int: 0 } } })
  model.output('total', 'float32', [])
  return model.serialize().toBytes()
}

/** Of a message that begins with the runtime's source file and condition, what follows them. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /Failed to get a WebGPU \w+:.*/.exec(message)?.[0] ?? message.trim()
}
