import { manifestSchema } from '@setblock/shared'
import type { GraphFile, Manifest } from '@setblock/shared'

import { buildGraph } from './build-graph.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { readBytes, readJson, sha256 } from './folder-files.ts'
import type { Precision } from './graph/graph-builder.ts'
import { TOKENIZER_BYTES_MAX } from './limits.ts'
import { sha256OfFile } from '../engine/file-digest.ts'
import { ModelError } from '../engine/model-error.ts'
import { writeGraph, writeWhole } from './write-graph.ts'

const MANIFEST_FILE = 'setblock.json'
const TOKENIZER_FILE = 'tokenizer.json'
const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'

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
export async function buildModel(
  folder: string,
  precision: Precision,
  provider: GraphFile['provider'] = 'cpu',
): Promise<BuildReport> {
  const checkpoint = await openCheckpoint(folder)
  try {
    const tokenizer = await tokenizerFacts(folder)
    const weights = await weightFacts(folder, checkpoint)
    const model = buildGraph(checkpoint, { provider, precision })
    const others = await otherGraphs(folder, { checkpoint, weights, provider, precision })
    const manifest = (graph: GraphFile) =>
      checkManifest({
        formatVersion: 1,
        ...checkpoint.source,
        architecture: checkpoint.architecture,
        graphs: [...others, graph].sort((a, b) => b.precision.localeCompare(a.precision)),
        weights,
        tokenizer,
      })
    const file = graphName(provider, precision)
    const entry = { provider, precision, file }
    manifest({ ...entry, sha256: weights.sha256 }) // refused before the work, not after it
    const { bytes, ...written } = await writeGraph(model, {
      folder,
      file,
      identity: weights.sha256,
    })
    const json = `${JSON.stringify(manifest({ ...entry, ...written }), null, 2)}\n`
    await writeWhole(folder, MANIFEST_FILE, [new TextEncoder().encode(json)])
    return { graphFile: file, graphBytes: bytes, nodeCount: model.nodeCount }
  } finally {
    await checkpoint.files.close()
  }
}

function graphName(provider: GraphFile['provider'], precision: Precision): string {
  return provider === 'cpu' ? `graph.${precision}.onnx` : `graph.${provider}-${precision}.onnx`
}

async function weightFacts(folder: string, { files }: Checkpoint): Promise<Manifest['weights']> {
  const [file, ...shards] = files.fileNames
  const digest = (name: string) => sha256OfFile(folder, name)
  const facts = { file: file!, sha256: await digest(file!) }
  if (shards.length === 0) return facts
  const digests: { file: string; sha256: string }[] = []
  for (const shard of shards) digests.push({ file: shard, sha256: await digest(shard) })
  return { ...facts, shards: digests }
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
  {
    checkpoint,
    weights,
    provider,
    precision,
  }: {
    checkpoint: Checkpoint
    weights: Manifest['weights']
    provider: GraphFile['provider']
    precision: Precision
  },
): Promise<GraphFile[]> {
  const previous = await previousManifest(folder)
  const { maskTokenId, contextLength, maxBlockLength } = checkpoint.source
  if (
    JSON.stringify(previous?.weights) !== JSON.stringify(weights) ||
    previous?.maskTokenId !== maskTokenId ||
    previous.contextLength !== contextLength ||
    previous.maxBlockLength !== maxBlockLength ||
    JSON.stringify(previous.architecture) !== JSON.stringify(checkpoint.architecture)
  ) {
    return []
  }
  const kept: GraphFile[] = []
  for (const graph of previous.graphs) {
    const isRebuilt = graph.provider === provider && graph.precision === precision
    if (!isRebuilt && (await isUnchanged(folder, graph))) kept.push(graph)
  }
  return kept
}

async function isUnchanged(folder: string, graph: GraphFile): Promise<boolean> {
  for (const { file, sha256 } of [graph, ...(graph.data ?? [])]) {
    const actual = await sha256OfFile(folder, file).catch(() => undefined)
    if (actual !== sha256) return false
  }
  return true
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
