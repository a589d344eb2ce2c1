import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { GraphFile } from '@setblock/shared'

import { discardDataFile, writeDataFile } from './data-file.ts'
import { layOut } from './data-layout.ts'
import { sha256 } from './folder-files.ts'
import { GRAPH_INLINE_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'
import { tensorBytes } from './onnx-model.ts'
import { makeHere } from './weight-maker.ts'
import type { WeightMaker } from './weight-maker.ts'
import type { ExternalPlace, LazyTensor, OnnxModel } from './onnx-model.ts'

export interface WriteOptions {
  readonly folder: string
  /** Name of the graph file; its data file has `.data` behind it. */
  readonly file: string
  /** Digest of what the weights depend on: the checkpoint's files and what is done to them. */
  readonly identity: string
  /** Larger weights go into a data file; GRAPH_INLINE_BYTES_MAX if absent. */
  readonly inlineBytesMax?: number
  /** Makes the weights of a data file; the calling thread if absent. */
  readonly maker?: WeightMaker
  readonly onWeights?: (progress: { name: string; bytes: number; resumed: boolean }) => void
}

export type WrittenGraph = Pick<GraphFile, 'file' | 'sha256' | 'data'> & { readonly bytes: number }

/**
 * Writes a graph and reads its weights on the way. Files get their names when they are whole; an
 * error leaves none of them behind, while a kill leaves what the next build goes on from.
 */
export async function writeGraph(model: OnnxModel, options: WriteOptions): Promise<WrittenGraph> {
  const { lazyTensors } = model
  const limit = options.inlineBytesMax ?? GRAPH_INLINE_BYTES_MAX
  return weightBytes(lazyTensors) <= limit
    ? writeInline(model, options)
    : writeWithData(model, options)
}

/** Bytes of the weights that a graph has, before any of them is made. */
export function weightBytes(tensors: ReadonlyMap<string, LazyTensor>): number {
  return [...tensors.values()].reduce((sum, tensor) => sum + tensorBytes(tensor), 0)
}

async function writeInline(model: OnnxModel, options: WriteOptions): Promise<WrittenGraph> {
  const weights = new Map<string, ArrayBufferView>()
  for (const { source, tensors } of layOut(model.lazyTensors)) {
    const made = await source.produce()
    for (const { name, index } of tensors) weights.set(name, made[index]!)
    const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0)
    options.onWeights?.({ name: source.name, bytes, resumed: false })
  }
  const { chunks, byteLength } = model.serialize(weights)
  await writeWhole(options.folder, options.file, chunks)
  return { file: options.file, sha256: sha256(chunks), bytes: byteLength }
}

async function writeWithData(model: OnnxModel, options: WriteOptions): Promise<WrittenGraph> {
  const { folder, onWeights, maker } = options
  const file = `${options.file}.data`
  const sources = layOut(model.lazyTensors)
  const places = new Map<string, ExternalPlace>()
  for (const { tensors } of sources) {
    for (const { name, offset, bytes } of tensors) places.set(name, { file, offset, bytes })
  }
  const graph = model.serialize(places)
  // The graph names every constant's place, so its digest stands for the layout.
  const identity = createHash('sha256').update(options.identity).update(sha256(graph.chunks))
  try {
    const data = await writeDataFile(sources, {
      folder,
      file,
      identity: identity.digest('hex'),
      maker: maker ?? makeHere(sources),
      ...(onWeights && { onSource: onWeights }),
    })
    await writeWhole(folder, options.file, graph.chunks)
    const bytes = data.bytes + graph.byteLength
    return { file: options.file, sha256: sha256(graph.chunks), data: [data], bytes }
  } catch (cause) {
    await discardDataFile(folder, file)
    if (cause instanceof ModelError) throw cause
    throw new ModelError(file, `cannot be written to ${folder}`, { cause })
  }
}

/** All of the file or none of it: written beside its place, then renamed into it. */
export async function writeWhole(
  folder: string,
  file: string,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const temporary = join(folder, `.${file}.${process.pid}.partial`)
  try {
    const handle = await open(temporary, 'w')
    try {
      for (const chunk of chunks) await handle.writeFile(chunk)
    } finally {
      await handle.close()
    }
    await rename(temporary, join(folder, file))
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new ModelError(file, `cannot be written to ${folder}`, { cause })
  }
}

/** The whole graph in memory; for tests, and models small enough. */
export async function graphBytes(model: OnnxModel): Promise<Uint8Array> {
  const weights = new Map<string, ArrayBufferView>()
  for (const [name, { source, index }] of model.lazyTensors) {
    weights.set(name, (await source.produce())[index]!)
  }
  return model.serialize(weights).toBytes()
}
