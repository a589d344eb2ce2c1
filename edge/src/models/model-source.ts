import { ApiError, manifestSchema, parseWith, sha256Hex } from '@setblock/shared'
import type { Manifest } from '@setblock/shared'
import * as z from 'zod'
import { createChatEncoder } from '../tokenizer/chat-template.ts'
import type { ChatEncoder } from '../tokenizer/chat-template.ts'
import { createTextTokenizer } from '../tokenizer/text-tokenizer.ts'
import type { TextTokenizer } from '../tokenizer/text-tokenizer.ts'

/** A model as the edge knows it: facts and text, no tensors. */
export interface EdgeModel {
  readonly manifest: Manifest
  readonly tokenizer: TextTokenizer
  /** @throws ApiError where the tokenizer's configuration has no chat template. */
  readonly encodeChat: ChatEncoder
}

export interface ModelSource {
  /** The manifests of all models offered. */
  list(): Promise<readonly Manifest[]>
  /** Undefined when no such model is offered. */
  find(id: string): Promise<EdgeModel | undefined>
}

/** Reads one file of a model folder. */
export type ReadModelFile = (folder: string, file: string) => Promise<Uint8Array<ArrayBuffer>>

const configSchema = z.looseObject({ chat_template: z.string().optional() })

/**
 * Models from folders that hold `setblock.json` and the tokenizer files it names. Each is loaded
 * when first asked for and kept; a load that fails is tried again by the next request.
 */
export function createModelSource(options: {
  folders: () => Promise<readonly string[]>
  read: ReadModelFile
}): ModelSource {
  const { read } = options
  const folders = once(options.folders)
  const manifests = once(async () => {
    const all = await Promise.all(
      (await folders()).map((folder) => named(folder, readManifest(folder, read))),
    )
    const ids = all.map(({ id }) => id)
    const repeated = ids.find((id, index) => ids.indexOf(id) < index)
    if (repeated !== undefined) throw new Error(`two model folders have the id ${repeated}`)
    return all
  })
  const models = new Map<string, () => Promise<EdgeModel>>()

  return {
    list: manifests,
    async find(id) {
      const offered = await manifests()
      const index = offered.findIndex((manifest) => manifest.id === id)
      const manifest = offered[index]
      const folder = (await folders())[index]
      if (manifest === undefined || folder === undefined) return undefined
      const load = models.get(id) ?? once(() => named(folder, loadModel(folder, manifest, read)))
      models.set(id, load)
      return load()
    },
  }
}

/** Of several folders an error must say which. */
async function named<T>(folder: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new Error(`${folder}: ${(cause as Error).message}`, { cause })
  }
}

async function readManifest(folder: string, read: ReadModelFile): Promise<Manifest> {
  const manifest = parseFile('setblock.json', await read(folder, 'setblock.json'))
  return parseWith(manifestSchema, manifest, 'internal_error')
}

async function loadModel(
  folder: string,
  manifest: Manifest,
  read: ReadModelFile,
): Promise<EdgeModel> {
  const { file, sha256, configFile, configSha256 } = manifest.tokenizer
  const [tokenizerJson, configJson] = await Promise.all([
    readChecked({ folder, file, sha256, read }),
    readChecked({ folder, file: configFile, sha256: configSha256, read }),
  ])
  const config = configSchema.parse(configJson)
  const tokenizer = createTextTokenizer(z.looseObject({}).parse(tokenizerJson), config)
  const { vocabularySize } = manifest.architecture
  if (tokenizer.vocabularySize > vocabularySize) {
    throw new Error(`the tokenizer has ${tokenizer.vocabularySize} tokens, not ${vocabularySize}`)
  }
  const { chat_template: template, ...variables } = config
  const encodeChat =
    template === undefined
      ? noChat(manifest)
      : createChatEncoder({ template, tokenizer, variables })
  return { manifest, tokenizer, encodeChat }
}

/** A model that was trained on no conversations has no form for them; it completes text. */
function noChat({ id, tokenizer }: Manifest): ChatEncoder {
  const refuse = (): never => {
    const file = tokenizer.configFile
    throw new ApiError(
      'invalid_request',
      `messages: ${id} has no chat template (${file}); send a prompt to /v1/completions`,
      { param: 'messages' },
    )
  }
  return Object.assign(refuse, { following: refuse })
}

async function readChecked(options: {
  folder: string
  file: string
  sha256: string
  read: ReadModelFile
}): Promise<unknown> {
  const bytes = await options.read(options.folder, options.file)
  if ((await sha256Hex(bytes)) !== options.sha256) {
    throw new Error(`${options.file} is not the file that setblock.json names`)
  }
  return parseFile(options.file, bytes)
}

function parseFile(file: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new Error(`${file} is not valid JSON`, { cause })
  }
}

/**
 * Keeps the first result of `work`. Results are shared, promises are not: on workerd a promise
 * that belongs to a request whose client left may never settle, and would take later ones with it.
 */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: { value: T } | undefined
  return async () => {
    result ??= { value: await work() }
    return result.value
  }
}
