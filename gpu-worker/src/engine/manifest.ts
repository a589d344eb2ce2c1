import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { manifestSchema } from '@setblock/shared'
import type { GraphFile, Manifest } from '@setblock/shared'

import { ModelError } from './model-error.ts'

const MANIFEST_FILE = 'setblock.json'

/** A model folder's manifest and the graph chosen from it, digest checked. */
export interface LoadedModel {
  readonly manifest: Manifest
  readonly precision: GraphFile['precision']
  /** The ONNX file: the very bytes that were hashed. */
  readonly graph: Uint8Array
}

/**
 * Reads `setblock.json` and the CPU graph of the given precision.
 *
 * @throws ModelError naming the file or field: unreadable, not valid, no such graph, or digest
 * mismatch.
 */
export async function loadModel(
  folder: string,
  precision: GraphFile['precision'],
): Promise<LoadedModel> {
  const manifest = parseManifest(await read(folder, MANIFEST_FILE))
  const entry = manifest.graphs.find(
    (graph) => graph.provider === 'cpu' && graph.precision === precision,
  )
  if (entry === undefined) {
    const forms = manifest.graphs.map((graph) => `${graph.provider} ${graph.precision}`).join(', ')
    throw new ModelError(`${MANIFEST_FILE} graphs`, `has no cpu ${precision} graph (has: ${forms})`)
  }
  const graph = await read(folder, entry.file)
  const sha256 = createHash('sha256').update(graph).digest('hex')
  if (sha256 !== entry.sha256) {
    throw new ModelError(entry.file, `has sha256 ${sha256}, the manifest says ${entry.sha256}`)
  }
  return { manifest, precision, graph }
}

function parseManifest(bytes: Uint8Array): Manifest {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ModelError(MANIFEST_FILE, 'is not valid JSON', { cause })
  }
  const parsed = manifestSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${MANIFEST_FILE} ${issue.path.join('.')}`.trim(), issue.message)
}

async function read(folder: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, file))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
    throw new ModelError(file, `cannot be read from ${folder} (${code})`, { cause })
  }
}
