import { assertNever, type GraphFile, type Manifest } from '@setblock/shared'

import { chooseThreads } from './choose-threads.ts'
import { chooseDevice, chooseForm, dependsOnAdapter } from './device.ts'
import type { FormWish } from './device.ts'
import type { Engine } from './engine.ts'
import { loadForm, readManifest, weightBytes } from './manifest.ts'
import type { LoadedModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import { probeWebGpu } from './webgpu-probe.ts'

/** What an engine is opened with, whatever runs it. */
export interface EngineRequest extends FormWish {
  readonly modelFolder: string
  /** Threads of one forward on the CPU; 0: by the size of the graph, see chooseThreads. */
  readonly threads: number
  /** Cores that this engine may use. */
  readonly cores: number
  readonly spinning: boolean
  /** Sequences wanted; the engine's limits tell for how many there is room. */
  readonly sequencesMax: number
  /** Memory for the caches of all sequences; the engine's own default if absent. */
  readonly kvBytesMax?: number | undefined
}

export interface OpenedEngine {
  readonly engine: Engine
  readonly manifest: Manifest
  /** The graph that runs, and on what. */
  readonly form: GraphFile
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
  const adapter = dependsOnAdapter(manifest, request) && (await probeWebGpu()).ok
  const device = chooseDevice(manifest, request, adapter)
  const model = await loadForm(modelFolder, manifest, chooseForm(manifest, device, precision))
  return { engine: await createEngine(model, request), manifest, form: model.form }
}

function createEngine(model: LoadedModel, request: EngineRequest): Promise<Engine> {
  const { provider } = model.form
  const { spinning, sequencesMax, kvBytesMax, threads, cores } = request
  const shared = { spinning, sequencesMax, ...(kvBytesMax !== undefined && { kvBytesMax }) }
  switch (provider) {
    case 'cpu': {
      const chosen = chooseThreads({ graphBytes: weightBytes(model), cores })
      return createOnnxEngine(model, { ...shared, ...(threads === 0 ? chosen : { threads }) })
    }
    case 'cuda':
    case 'webgpu':
      throw new ModelError(`device ${provider}`, 'has no engine in this version')
    default:
      return assertNever(provider, 'provider')
  }
}
