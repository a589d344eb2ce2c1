import { assertNever, type GraphFile, type Manifest } from '@setblock/shared'

import { chooseThreads } from './choose-threads.ts'
import { assertCudaInstalled } from './cuda-library.ts'
import { chooseDevice, chooseForm, dependsOnAdapter } from './device.ts'
import type { FormWish } from './device.ts'
import type { Engine } from './engine.ts'
import { KV_BYTES_MAX_DEFAULT } from './kv-pool.ts'
import { loadForm, readManifest, weightBytes } from './manifest.ts'
import type { LoadedModel } from './manifest.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import { createWebGpuEngine } from './webgpu-engine.ts'
import { isWorthUsing, probeWebGpu } from './webgpu-probe.ts'

/** What an engine is opened with, whatever runs it. */
export interface EngineRequest extends FormWish {
  readonly modelFolder: string
  /** Threads of one forward on the CPU; 0: by the size of the graph, see chooseThreads. */
  readonly threads: number
  /** Cores that this engine may use. */
  readonly cores: number
  readonly spinning: boolean
  /** Engines that are to hold the model side by side; 0: by size and cores, see chooseThreads. */
  readonly engines: number
  readonly wideFromRows?: number | undefined
  readonly coresAreFree: () => boolean
  /** Sequences wanted; the engine's limits tell for how many there is room. */
  readonly sequencesMax: number
  /** Memory for the caches of all sequences of all engines; the engine's own default if absent. */
  readonly kvBytesMax?: number | undefined
}

export interface OpenedEngine {
  readonly engine: Engine
  readonly manifest: Manifest
  /** The graph that runs, and on what. */
  readonly form: GraphFile
  /** How many engines should hold the model, this one among them. */
  readonly engines: number
  /** See WideOptions. */
  readonly wideFromRows: number
}

/**
 * Loads a model and the engine for the device that is wanted. In the engine thread alone: whoever
 * asks for a GPU owns it.
 *
 * @throws ModelError in one clear line.
 */
export async function openEngine(request: EngineRequest): Promise<OpenedEngine> {
  const { modelFolder, precision } = request
  const manifest = await readManifest(modelFolder)
  const adapter = dependsOnAdapter(manifest, request) && isWorthUsing(await probeWebGpu())
  const device = chooseDevice(manifest, request, adapter)
  const model = await loadForm(modelFolder, manifest, chooseForm(manifest, device, precision))
  return { ...(await createEngine(model, request)), manifest, form: model.form }
}

type CreatedEngine = Pick<OpenedEngine, 'engine' | 'engines' | 'wideFromRows'>

function createEngine(model: LoadedModel, request: EngineRequest): Promise<CreatedEngine> {
  const { provider } = model.form
  switch (provider) {
    case 'cpu':
      return createCpuEngine(model, request)
    case 'webgpu':
      return createGpuEngine(model, request)
    case 'cuda':
      return createCudaEngine(model, request)
    default:
      return assertNever(provider, 'provider')
  }
}

/** One engine: a second one would only share the device with it. */
async function createGpuEngine(
  model: LoadedModel,
  { sequencesMax, kvBytesMax = KV_BYTES_MAX_DEFAULT }: EngineRequest,
): Promise<CreatedEngine> {
  const engine = await createWebGpuEngine(model, { sequencesMax, kvBytesMax })
  return { engine, engines: 1, wideFromRows: Infinity }
}

/** The host's engine on CUDA: its keys and values cross the bus with every forward. */
async function createCudaEngine(
  model: LoadedModel,
  { spinning, sequencesMax, kvBytesMax = KV_BYTES_MAX_DEFAULT }: EngineRequest,
): Promise<CreatedEngine> {
  assertCudaInstalled()
  const options = { provider: 'cuda', threads: 1, spinning, sequencesMax, kvBytesMax } as const
  const engine = await createOnnxEngine(model, options)
  return { engine, engines: 1, wideFromRows: Infinity }
}

async function createCpuEngine(model: LoadedModel, request: EngineRequest): Promise<CreatedEngine> {
  const { spinning, sequencesMax, threads, cores, wideFromRows, coresAreFree } = request
  const { kvBytesMax = KV_BYTES_MAX_DEFAULT } = request
  const graphBytes = weightBytes(model)
  const { engines, ...chosen } = chooseThreads({ graphBytes, cores, engines: request.engines })
  const engine = await createOnnxEngine(model, {
    ...(threads === 0 ? chosen : { threads }),
    ...(wideFromRows !== undefined && { wideFromRows }),
    coresAreFree,
    spinning,
    sequencesMax,
    kvBytesMax: Math.floor(kvBytesMax / engines),
  })
  return { engine, engines, wideFromRows: engine.wideFromRows }
}
