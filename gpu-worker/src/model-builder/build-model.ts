import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { manifestSchema } from '@setblock/shared'
import type { GraphFile, Manifest } from '@setblock/shared'

import { buildGraph } from './build-graph.ts'
import { readBytes, readCheckpoint, readJson, sha256, WEIGHTS_FILE } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Precision } from './graph/graph-builder.ts'
import { GRAPH_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'

const MANIFEST_FILE = 'setblock.json'
const TOKENIZER_FILE = 'tokenizer.json'
const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'
const TOKENIZER_BYTES_MAX = 64 * 1024 * 1024

export interface BuildReport {
  readonly graphFile: string
  readonly graphBytes: number
  readonly nodeCount: number
}

/**
 * Turns a checkpoint folder into a model folder: writes `graph.<precision>.onnx`, then
 * `setblock.json` naming it with its digest. A graph of another precision stays listed if it is of
 * the same weights.
 */
export async function buildModel(folder: string, precision: Precision): Promise<BuildReport> {
  const checkpoint = await readCheckpoint(folder)
  const tokenizer = await tokenizerFacts(folder)
  const { file, nodeCount } = buildGraph(checkpoint, { precision })
  const graph: GraphFile = {
    provider: 'cpu',
    precision,
    file: `graph.${precision}.onnx`,
    sha256: sha256(file.chunks),
  }
  const others = await otherGraphs(folder, checkpoint, precision)
  const manifest = checkManifest({
    formatVersion: 1,
    ...checkpoint.source,
    architecture: checkpoint.architecture,
    graphs: [...others, graph].sort((a, b) => b.precision.localeCompare(a.precision)),
    weights: { file: WEIGHTS_FILE, sha256: checkpoint.weightsSha256 },
    tokenizer,
  })
  await writeWhole(folder, graph.file, file.chunks)
  const json = `${JSON.stringify(manifest, null, 2)}\n`
  await writeWhole(folder, MANIFEST_FILE, [new TextEncoder().encode(json)])
  return { graphFile: graph.file, graphBytes: file.byteLength, nodeCount }
}

async function tokenizerFacts(folder: string): Promise<Manifest['tokenizer']> {
  const digest = async (file: string) =>
    sha256([await readBytes(folder, file, TOKENIZER_BYTES_MAX)])
  return {
    file: TOKENIZER_FILE,
    sha256: await digest(TOKENIZER_FILE),
    configFile: TOKENIZER_CONFIG_FILE,
    configSha256: await digest(TOKENIZER_CONFIG_FILE),
  }
}

/**
 * Graphs of an earlier build that still hold: same weights and same source, file present and
 * unchanged.
 */
async function otherGraphs(
  folder: string,
  checkpoint: Checkpoint,
  precision: Precision,
): Promise<GraphFile[]> {
  const previous = await previousManifest(folder)
  const { maskTokenId, contextLength, maxBlockLength } = checkpoint.source
  if (
    previous?.weights.sha256 !== checkpoint.weightsSha256 ||
    previous.maskTokenId !== maskTokenId ||
    previous.contextLength !== contextLength ||
    previous.maxBlockLength !== maxBlockLength ||
    JSON.stringify(previous.architecture) !== JSON.stringify(checkpoint.architecture)
  ) {
    return []
  }
  const kept: GraphFile[] = []
  for (const graph of previous.graphs) {
    if (graph.precision === precision) continue
    const bytes = await readBytes(folder, graph.file, GRAPH_BYTES_MAX).catch(() => undefined)
    if (bytes !== undefined && sha256([bytes]) === graph.sha256) kept.push(graph)
  }
  return kept
}

/** The last build's manifest; none, or one that no longer parses, is replaced without fuss. */
async function previousManifest(folder: string): Promise<Manifest | undefined> {
  const json = await readJson(folder, MANIFEST_FILE).catch(() => undefined)
  return manifestSchema.safeParse(json).data
}

function checkManifest(manifest: Manifest): Manifest {
  const parsed = manifestSchema.safeParse(manifest)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${MANIFEST_FILE} ${issue.path.join('.')}`, issue.message)
}

/** All of the file or none of it: written beside its place, then renamed into it. */
async function writeWhole(
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
