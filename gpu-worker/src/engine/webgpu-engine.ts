import { DeviceCache } from './device-cache.ts'
import { DEVICE_RUNTIME, DevicePools } from './device-pools.ts'
import { graphInputs, planeNames } from './graph-contract.ts'
import { GraphEngine } from './graph-engine.ts'
import { KV_BYTES_MAX_DEFAULT } from './kv-pool.ts'
import type { KvPoolOptions } from './kv-pool.ts'
import type { LoadedModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import { OnnxGraph } from './onnx-graph.ts'
import type { PoolShape } from './pool-graphs.ts'
import { poolOptions } from './pool-options.ts'
import { probeWebGpu } from './webgpu-probe.ts'

/** One pool is one buffer, and a binding of it cannot be larger on any GPU we know. */
const POOL_BYTES_MAX = 2 ** 31 - 4

export interface WebGpuEngineOptions {
  /** Sequences wanted; `limits.sequencesMax` tells how many of them the caches have room for. */
  readonly sequencesMax: number
  /** Device memory for the caches of all sequences together; KV_BYTES_MAX_DEFAULT if absent. */
  readonly kvBytesMax?: number
}

/**
 * The engine on the GPU, keys and values resident there. Only one thread of a process may use the
 * device, and the first to use it chooses it for the process.
 *
 * @throws ModelError if there is no GPU, the runtime refuses the graph, or not even one sequence
 * fits kvBytesMax.
 */
export async function createWebGpuEngine(
  model: LoadedModel,
  { sequencesMax: wanted, kvBytesMax = KV_BYTES_MAX_DEFAULT }: WebGpuEngineOptions,
): Promise<GraphEngine> {
  const { manifest } = model
  const valueBytes = poolType(model) === 'float16' ? 2 : 4
  const sequencesMax = sequencesOnDevice(poolOptions(manifest, wanted), valueBytes, kvBytesMax)
  if (sequencesMax === 0) {
    const reason = `the cache of one sequence does not fit ${kvBytesMax} bytes`
    throw new ModelError(manifest.id, reason)
  }
  const probe = await probeWebGpu()
  if (!probe.ok) throw new ModelError('device webgpu', `cannot be used: ${probe.reason}`)
  const graph = await loadGraph(model)
  try {
    const options = poolOptions(manifest, sequencesMax)
    const pools = await createPools(model, options)
    return new GraphEngine(new DeviceCache(graph, pools, options), manifest, sequencesMax)
  } catch (error) {
    await graph.dispose()
    throw error
  }
}

async function loadGraph({ manifest, form, graph: bytes, path }: LoadedModel): Promise<OnnxGraph> {
  const graph = await OnnxGraph.load(form.data === undefined ? bytes : path, DEVICE_RUNTIME)
  const inputs = graphInputs(manifest.architecture.layers, 'device')
  if (inputs.toSorted().join() === graph.inputNames.toSorted().join()) return graph
  await graph.dispose()
  throw new ModelError(manifest.id, 'its graph has other inputs: build the model again')
}

function poolType({ form }: LoadedModel): PoolShape['type'] {
  return form.precision === 'fp32' ? 'float32' : 'float16'
}

async function createPools(
  model: LoadedModel,
  { sequencesMax, planePositions }: KvPoolOptions,
): Promise<DevicePools> {
  const { layers, keyValueHeads: heads, headSize } = model.manifest.architecture
  const shape = { names: planeNames(layers, 'device'), heads, headSize, type: poolType(model) }
  try {
    return await DevicePools.create(shape, sequencesMax * planePositions)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ModelError('device webgpu', `has no room for the caches: ${reason}`, { cause })
  }
}

/** How many of the sequences fit into so many bytes, and a layer's keys into one buffer. */
export function sequencesOnDevice(
  options: KvPoolOptions,
  valueBytes: number,
  bytesMax: number,
): number {
  const { sequencesMax, planes, rowLength, planePositions } = options
  const planeBytes = planePositions * rowLength * valueBytes
  const fitting = Math.floor(bytesMax / (planes * planeBytes))
  return Math.min(sequencesMax, fitting, Math.floor(POOL_BYTES_MAX / planeBytes))
}
