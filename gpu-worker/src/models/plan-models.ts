import { availableParallelism, totalmem } from 'node:os'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { limits, type GraphFile, type Manifest } from '@setblock/shared'
import { chooseThreads } from '../engine/choose-threads.ts'
import { chooseForm, type DeviceChoice, type FormWish } from '../engine/device.ts'
import { bytesForAll, slotBytes } from '../engine/kv-pool.ts'
import { readManifest } from '../engine/manifest.ts'
import { ModelError } from '../engine/model-error.ts'
import { kvType, poolOptions } from '../engine/pool-options.ts'
import { shareMemory, type MemoryNeed } from './memory-plan.ts'

export interface ModelsRequest extends FormWish {
  readonly modelFolders: readonly string[]
  /** Jobs that share a forward of one engine. */
  readonly runningMax: number
  /** Engines of each model; 0: by size and cores. */
  readonly engines: number
  /** Host memory for the weights and caches of all models; what the machine has, if absent. */
  readonly memoryBytesMax: number | undefined
  readonly kvBytesMax: number
}

/** How one of the worker's models is to be loaded. */
export interface ModelPlan {
  readonly modelFolder: string
  readonly device: DeviceChoice
  /** Bytes for the caches of its sequences. */
  readonly kvBytesMax: number
  /** Cores it may use. */
  readonly cores: number
}

/** The part of the machine's memory that models take if nothing else is said. */
const MEMORY_SHARE = 0.9

/**
 * Looks at all models before one of them is loaded.
 *
 * @throws ModelError in one line: a folder without a model, two models of one id, several models on
 * one GPU, no graph of the form that is wanted, or more than the memory holds.
 */
export async function planModels(request: ModelsRequest): Promise<ModelPlan[]> {
  const { modelFolders, kvBytesMax } = request
  const manifests = await Promise.all(modelFolders.map(readManifest))
  assertFolders(modelFolders, manifests)
  const device = deviceOfAll(request)
  const cores = Math.max(1, Math.floor(availableParallelism() / modelFolders.length))
  const needs = await Promise.all(
    manifests.map((manifest, index) =>
      needOf(modelFolders[index] as string, manifest, { ...request, device, cores }),
    ),
  )
  const bytesMax = request.memoryBytesMax ?? Math.floor(machineBytes() * MEMORY_SHARE)
  // On WebGPU caches and weights are the device's, whose memory nobody can ask for.
  const shares =
    device === 'webgpu'
      ? needs.map(() => kvBytesMax)
      : shareMemory(needs, { bytesMax, cacheBytesMax: kvBytesMax })
  return modelFolders.map((modelFolder, index) => ({
    modelFolder,
    device,
    kvBytesMax: shares[index] as number,
    cores,
  }))
}

/** A GPU has one owner, which is the thread of one model; several models share the CPU. */
function deviceOfAll({ device, modelFolders }: ModelsRequest): DeviceChoice {
  if (modelFolders.length === 1 || device === 'cpu') return device
  if (device === 'auto') return 'cpu'
  const way = 'start a worker for each, and give the edge all of them'
  throw new ModelError(`device ${device}`, `a worker serves one model on a GPU: ${way}`)
}

function assertFolders(folders: readonly string[], manifests: readonly Manifest[]): void {
  const { workerModelsMax } = limits
  if (folders.length > workerModelsMax) {
    throw new ModelError('models', `${folders.length} are more than a worker's ${workerModelsMax}`)
  }
  const seen = new Map<string, string>()
  for (const [index, { id }] of manifests.entries()) {
    const folder = folders[index] as string
    const other = seen.get(id)
    if (other !== undefined) throw new ModelError(`model ${id}`, `is in ${other} and in ${folder}`)
    seen.set(id, folder)
  }
}

async function needOf(
  folder: string,
  manifest: Manifest,
  wish: FormWish & Pick<ModelsRequest, 'runningMax' | 'engines'> & { readonly cores: number },
): Promise<MemoryNeed> {
  const form = predictForm(manifest, wish)
  const graph = await stat(path.join(folder, form.file)).catch(() => ({ size: 0 }))
  const outside = (form.data ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  const graphBytes = graph.size + outside
  const { engines, copies } = copiesOf(form, { ...wish, graphBytes })
  const pool = poolOptions(manifest, wish.runningMax, kvType(form))
  return {
    id: manifest.id,
    weightBytes: graphBytes * copies,
    sequenceBytes: slotBytes(pool) * engines,
    cacheBytes: bytesForAll(pool) * engines,
  }
}

/** How often a model's caches and weights are held: by each engine, and twice where it tries threads. */
function copiesOf(
  { provider }: GraphFile,
  machine: Parameters<typeof chooseThreads>[0],
): { engines: number; copies: number } {
  if (provider !== 'cpu') return { engines: 1, copies: 1 }
  const { engines, wideThreads } = chooseThreads(machine)
  return { engines, copies: wideThreads === undefined ? engines : 2 * engines }
}

/** The form to reckon with: whether there is a GPU is not known before the engine's thread looks. */
function predictForm(manifest: Manifest, { device, precision }: FormWish): GraphFile {
  if (device !== 'auto') return chooseForm(manifest, device, precision)
  const [first] = manifest.graphs.filter(({ provider }) => provider !== 'cuda')
  const onCpu = manifest.graphs.some(
    (graph) => graph.provider === 'cpu' && (precision ?? graph.precision) === graph.precision,
  )
  return chooseForm(manifest, onCpu ? 'cpu' : (first?.provider ?? 'cpu'), precision)
}

/** What this process may have: the machine's memory, or its control group's. */
function machineBytes(): number {
  const bound = process.constrainedMemory()
  return bound > 0 ? Math.min(bound, totalmem()) : totalmem()
}
