import { mkdir, rmdir } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

import { manifestSchema } from '@setblock/shared'
import type { GraphFile, Manifest } from '@setblock/shared'

import { buildGraph } from './build-graph.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { readJson, sha256 } from './folder-files.ts'
import { lockFolder } from './folder-lock.ts'
import { sha256OfFile } from '../engine/file-digest.ts'
import { ModelError } from '../engine/model-error.ts'
import type { OnnxModel } from './onnx-model.ts'
import type { SourceOptions } from './source.ts'
import { graphName, TARGETS } from './targets.ts'
import type { GraphForm, Target } from './targets.ts'
import { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from './tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { WeightMaker } from './weight-maker.ts'
import { buildThreads, WeightThreads } from './weight-threads.ts'
import { weightBytes, writeGraph, writeWhole } from './write-graph.ts'

const MANIFEST_FILE = 'setblock.json'

export interface BuildRequest {
  /** Of the checkpoint, as Hugging Face lays it out. */
  readonly folder: string
  /** The model folder to write; the checkpoint's own if absent. */
  readonly out?: string
  readonly targets: readonly Target[]
  readonly source?: SourceOptions
  /** Larger weights lie beside their graph; GRAPH_INLINE_BYTES_MAX if absent. */
  readonly inlineBytesMax?: number
  /** That make the weights of a data file, at most; with 1 the calling thread does. */
  readonly threads?: number
  readonly onProgress?: (progress: BuildProgress) => void
}

/** How far one pass over the weights is. */
export interface BuildProgress {
  /** 'digest': hashing the checkpoint. Otherwise the graph file that is being written. */
  readonly stage: string
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Of `bytesDone`, what an earlier build had written. */
  readonly bytesResumed: number
}

export interface BuiltGraph {
  readonly target: Target
  readonly file: string
  /** The graph and the data beside it. */
  readonly bytes: number
  readonly nodeCount: number
}

export interface BuildReport {
  readonly manifest: Manifest
  readonly graphs: readonly BuiltGraph[]
  /** Bytes of the checkpoint's weight files. */
  readonly checkpointBytes: number
  /** The tokenizer is of a kind that the edge cannot turn into text. */
  readonly isTokenizerForeign: boolean
  readonly addedMaskId?: number
}

/**
 * Turns a checkpoint folder into a model folder: its tokenizer, a graph for each target, and
 * `setblock.json`, which names all of them with their digests. Graphs for other targets stay listed
 * if they are of the same model. All that can be wrong is checked before anything is written. One
 * build at a time writes to a folder.
 *
 * @throws ModelError naming the file, field or tensor.
 */
export async function buildModel(request: BuildRequest): Promise<BuildReport> {
  const { folder, out = folder } = request
  const fallbackId = basename(resolve(out))
  const source = { ...request.source, fallbackId }
  const checkpoint = await openCheckpoint(folder, source)
  try {
    return await buildFrom(checkpoint, { ...request, source, out })
  } finally {
    await checkpoint.files.close()
  }
}

type Build = BuildRequest & {
  readonly out: string
  readonly source: SourceOptions & { readonly fallbackId: string }
}

async function buildFrom(checkpoint: Checkpoint, build: Build): Promise<BuildReport> {
  const { addedMaskId, files } = checkpoint
  if (addedMaskId !== undefined && resolve(build.out) === resolve(build.folder)) {
    const reason = 'would change the checkpoint’s own tokenizer: give another folder with --out'
    throw new ModelError('--add-mask-token', reason)
  }
  const planned = build.targets.map((target) => planGraph(checkpoint, target))
  const NO_DIGEST = '0'.repeat(64)
  describe(checkpoint, {
    graphs: planned.map(({ form, file }) => ({ ...form, file, sha256: NO_DIGEST })),
    weights: { file: files.fileNames[0]!, sha256: NO_DIGEST },
  })
  const isNew = (await mkdir(build.out, { recursive: true })) !== undefined
  try {
    const release = await lockFolder(build.out)
    try {
      return await writeModel(checkpoint, build, planned)
    } finally {
      await release()
    }
  } catch (error) {
    if (isNew) await rmdir(build.out).catch(() => undefined) // stays if something is in it
    throw error
  }
}

async function writeModel(
  checkpoint: Checkpoint,
  build: Build,
  planned: readonly PlannedGraph[],
): Promise<BuildReport> {
  const { addedMaskId, tokenizer, files } = checkpoint
  const weights = await digestWeights(checkpoint, build)
  let graphs = await unchangedGraphs(checkpoint, build, weights)
  const built: BuiltGraph[] = []
  let manifest: Manifest | undefined
  for (const { target, form, file, model } of planned) {
    const { bytes, ...written } = await onThreads(build, form, (maker) =>
      writeGraph(model, {
        folder: build.out,
        file,
        identity: JSON.stringify(weights),
        ...(maker && { maker }),
        ...(build.inlineBytesMax !== undefined && { inlineBytesMax: build.inlineBytesMax }),
        onWeights: progressOf(build, file, weightBytes(model.lazyTensors)),
      }),
    )
    graphs = [...graphs.filter((graph) => graph.file !== file), { ...form, ...written }]
    manifest = describe(checkpoint, { graphs, weights })
    await writeFacts(build.out, tokenizer, manifest)
    built.push({ target, file, bytes, nodeCount: model.nodeCount })
  }
  return {
    manifest: manifest!,
    graphs: built,
    checkpointBytes: files.bytes,
    isTokenizerForeign: !tokenizer.isByteLevel,
    ...(addedMaskId !== undefined && { addedMaskId }),
  }
}

/** Threads are started when the first weights are asked for: a graph without a data file has none. */
async function onThreads<T>(
  { folder, source, threads = buildThreads() }: Build,
  form: GraphForm,
  write: (maker?: WeightMaker) => Promise<T>,
): Promise<T> {
  if (threads === 1) return write()
  const maker = new WeightThreads({ folder, source, form }, threads)
  try {
    return await write(maker)
  } finally {
    await maker.close()
  }
}

/** The manifest comes last: it names all others. */
async function writeFacts(out: string, tokenizer: Tokenizer, manifest: Manifest): Promise<void> {
  for (const { file, bytes } of tokenizer.files()) {
    const present = await sha256OfFile(out, file).catch(() => undefined)
    if (present !== sha256([bytes])) await writeWhole(out, file, [bytes])
  }
  const json = `${JSON.stringify(manifest, null, 2)}\n`
  await writeWhole(out, MANIFEST_FILE, [new TextEncoder().encode(json)])
}

interface PlannedGraph {
  readonly target: Target
  readonly form: GraphForm
  readonly file: string
  readonly model: OnnxModel
}

function planGraph(checkpoint: Checkpoint, target: Target): PlannedGraph {
  const form: GraphForm = TARGETS[target]
  return { target, form, file: graphName(form), model: buildGraph(checkpoint, form) }
}

function progressOf({ onProgress }: Build, stage: string, bytesTotal: number) {
  let [bytesDone, bytesResumed] = [0, 0]
  return ({ bytes, resumed }: { bytes: number; resumed: boolean }): void => {
    bytesDone += bytes
    if (resumed) bytesResumed += bytes
    onProgress?.({ stage, bytesDone, bytesTotal, bytesResumed })
  }
}

async function digestWeights(
  { files }: Checkpoint,
  { folder, onProgress }: Build,
): Promise<Manifest['weights']> {
  let bytesDone = 0
  const bytesTotal = files.bytes
  const digest = async (file: string) => ({
    file,
    sha256: await sha256OfFile(folder, file, (bytes) => {
      bytesDone = Math.min(bytesDone + bytes, bytesTotal)
      onProgress?.({ stage: 'digest', bytesDone, bytesTotal, bytesResumed: 0 })
    }),
  })
  const [first, ...shards] = files.fileNames
  const facts = await digest(first!)
  if (shards.length === 0) return facts
  const digests: (typeof facts)[] = []
  for (const shard of shards) digests.push(await digest(shard))
  return { ...facts, shards: digests }
}

/** What a graph depends on. */
const MODEL_FACTS = [
  'weights',
  'architecture',
  'maskTokenId',
  'contextLength',
  'maxBlockLength',
] as const satisfies (keyof Manifest)[]

/** Graphs of an earlier build that still hold: same model, files present and unchanged. */
async function unchangedGraphs(
  checkpoint: Checkpoint,
  { out, targets }: Build,
  weights: Manifest['weights'],
): Promise<GraphFile[]> {
  // The last build's manifest; none, or one that no longer parses, is replaced without fuss.
  const json = await readJson(out, MANIFEST_FILE).catch(() => undefined)
  const previous = manifestSchema.safeParse(json).data
  if (previous === undefined) return []
  const current = describe(checkpoint, { graphs: previous.graphs, weights })
  if (MODEL_FACTS.some((fact) => !isDeepStrictEqual(previous[fact], current[fact]))) return []
  const rebuilt = targets.map((target) => graphName(TARGETS[target]))
  const kept: GraphFile[] = []
  for (const graph of previous.graphs) {
    if (!rebuilt.includes(graph.file) && (await isUnchanged(out, graph))) kept.push(graph)
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

/** The manifest. @throws ModelError naming the first field that is wrong. */
function describe(
  { source, architecture, tokenizer }: Checkpoint,
  { graphs, weights }: Pick<Manifest, 'graphs' | 'weights'>,
): Manifest {
  const [main, config] = tokenizer.files().map(({ bytes }) => sha256([bytes]))
  const parsed = manifestSchema.safeParse({
    formatVersion: 1,
    ...source,
    architecture,
    graphs: graphs.toSorted((a, b) => order(a) - order(b)),
    weights,
    tokenizer: {
      file: TOKENIZER_FILE,
      sha256: main,
      configFile: TOKENIZER_CONFIG_FILE,
      configSha256: config,
    },
  })
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${MANIFEST_FILE} ${issue.path.join('.')}`, issue.message)
}

/** As the targets are listed. */
function order(graph: GraphForm): number {
  return Object.values(TARGETS).findIndex((form) => graphName(form) === graphName(graph))
}
