import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { manifestSchema } from '@setblock/shared'
import type { GraphFile, Manifest } from '@setblock/shared'

import { chooseForm } from './device.ts'
import type { Precision } from './device.ts'
import { fileError, sha256OfFile } from './file-digest.ts'
import { ModelError } from './model-error.ts'

const MANIFEST_FILE = 'setblock.json'

/** A model folder's manifest and one of its graphs, every digest checked. */
export interface LoadedModel {
  readonly manifest: Manifest
  readonly form: GraphFile
  /** The ONNX file: the very bytes that were hashed. */
  readonly graph: Uint8Array
  /** Where that file is: weights outside of it are found beside it. */
  readonly path: string
}

/**
 * Reads `setblock.json` and the CPU graph of the given precision.
 *
 * @throws ModelError naming the file or field: unreadable, not valid, no such graph, or digest
 * mismatch.
 */
export async function loadModel(folder: string, precision?: Precision): Promise<LoadedModel> {
  const manifest = await readManifest(folder)
  return loadForm(folder, manifest, chooseForm(manifest, 'cpu', precision))
}

/** @throws ModelError naming the file or field. */
export async function readManifest(folder: string): Promise<Manifest> {
  return parseManifest(join(folder, MANIFEST_FILE), await read(folder, MANIFEST_FILE))
}

/** Reads one graph of a manifest. @throws ModelError naming the file that is not the one described. */
export async function loadForm(
  folder: string,
  manifest: Manifest,
  form: GraphFile,
): Promise<LoadedModel> {
  const graph = await read(folder, form.file)
  assertDigest(folder, form, createHash('sha256').update(graph).digest('hex'))
  // Too large to be held: the runtime maps these files itself.
  for (const data of form.data ?? [])
    assertDigest(folder, data, await sha256OfFile(folder, data.file))
  return { manifest, form, graph, path: join(folder, form.file) }
}

/** Bytes of a graph and of its weights outside of it. */
export function weightBytes({ graph, form }: Pick<LoadedModel, 'graph' | 'form'>): number {
  const outside = (form.data ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  return graph.byteLength + outside
}

function assertDigest(
  folder: string,
  { file, sha256 }: { file: string; sha256: string },
  found: string,
): void {
  if (found === sha256) return
  throw new ModelError(join(folder, file), `has sha256 ${found}, the manifest says ${sha256}`)
}

function parseManifest(file: string, bytes: Uint8Array): Manifest {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ModelError(file, 'is not valid JSON', { cause })
  }
  const parsed = manifestSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${file} ${issue.path.join('.')}`.trim(), issue.message)
}

async function read(folder: string, file: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, file))
  } catch (cause) {
    throw fileError(folder, file, cause)
  }
}
