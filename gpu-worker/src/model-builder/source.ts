import { limits, manifestSchema } from '@setblock/shared'
import * as z from 'zod'

import { readJsonIfAny } from './folder-files.ts'
import type { CheckpointConfig } from './hf-config.ts'
import { ModelError } from '../engine/model-error.ts'
import { NEW_MASK_TOKEN, Tokenizer, TOKENIZER_FILE } from './tokenizer.ts'

const SOURCE_FILE = 'setblock.source.json'

/**
 * Context that a model is served with where nobody says otherwise, in tokens: caches are laid out
 * for all of it, and 128k positions of an 8B model would take 17 GB a sequence.
 */
const CONTEXT_DEFAULT = 8192

const DEFAULTS = { mode: 'verified', gamma: 0.1, rule: 'prefix', blockLength: 8 } as const

/**
 * What a manifest says beyond the architecture. A folder may say it in `setblock.source.json`, as
 * those of our training do; each field means what it means in `setblock.json`.
 */
const sourceSchema = z.strictObject({
  ...z.strictObject(manifestSchema.shape).pick({
    id: true,
    name: true,
    maskTokenId: true,
    bosTokenId: true,
    eosTokenIds: true,
    padTokenId: true,
    contextLength: true,
    maxBlockLength: true,
    defaults: true,
    provenance: true,
  }).shape,
})
export type ModelSource = z.infer<typeof sourceSchema>

/** What the caller says; it goes before what the folder says. */
export interface SourceOptions {
  readonly id?: string
  readonly name?: string
  readonly contextLength?: number
  readonly blockLength?: number
  readonly license?: string
  /** Text or id of a token. */
  readonly maskToken?: string
  /** Adds a mask token where the tokenizer has none. */
  readonly addMaskToken?: boolean
  /** Text or id of tokens that end an answer, besides those that the folder names. */
  readonly stopTokens?: readonly string[]
}

export interface ResolvedSource {
  readonly source: ModelSource
  readonly tokenizer: Tokenizer
  /** A mask that was added: no row of the checkpoint's embedding was trained for it. */
  readonly addedMaskId?: number
}

/**
 * Gathers the facts: options first, then `setblock.source.json`, then the checkpoint's own files.
 *
 * @param fallbackId id of the model if nothing names one
 * @throws ModelError naming file and field, and for a missing mask token the options that help.
 */
export async function resolveSource(
  folder: string,
  config: CheckpointConfig,
  { fallbackId, ...options }: SourceOptions & { fallbackId: string },
): Promise<ResolvedSource> {
  const tokenizer = await Tokenizer.read(folder)
  const given = await readSource(folder)
  const mask = findMask(tokenizer, given, options)
  const base = given ?? (await deriveSource(folder, { config, tokenizer, id: fallbackId }))
  const id = options.id ?? base.id
  const source = {
    ...base,
    id,
    name: options.name ?? (options.id === undefined ? base.name : id),
    maskTokenId: mask.id,
    eosTokenIds: stopIds(tokenizer, base.eosTokenIds, options.stopTokens ?? []),
    contextLength: options.contextLength ?? base.contextLength,
    defaults: {
      ...base.defaults,
      ...(options.blockLength !== undefined && { blockLength: options.blockLength }),
      // Guesses of a mask that was never trained are worth nothing: plain decoding is what is left.
      ...(mask.isAdded && { mode: 'ntp' as const }),
    },
    provenance: {
      ...base.provenance,
      ...(options.license !== undefined && { license: options.license }),
    },
  }
  checkSource(source, config, given === undefined ? 'config.json' : SOURCE_FILE)
  if (!mask.isAdded) return { source, tokenizer }
  return { source, tokenizer: tokenizer.withMask(mask.id), addedMaskId: mask.id }
}

async function readSource(folder: string): Promise<ModelSource | undefined> {
  const json = await readJsonIfAny(folder, SOURCE_FILE)
  if (json === undefined) return undefined
  const parsed = sourceSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${SOURCE_FILE} ${issue.path.join('.')}`, issue.message)
}

function findMask(
  tokenizer: Tokenizer,
  given: ModelSource | undefined,
  { maskToken, addMaskToken = false }: SourceOptions,
): { id: number; isAdded: boolean } {
  if (maskToken !== undefined) {
    return { id: tokenId(tokenizer, maskToken, '--mask-token'), isAdded: false }
  }
  const known = given?.maskTokenId ?? tokenizer.specialId('mask_token')
  if (known !== undefined) return { id: known, isAdded: false }
  if (addMaskToken) {
    const added = tokenizer.idOf(NEW_MASK_TOKEN) === undefined
    if (added) return { id: tokenizer.nextId, isAdded: true }
    throw new ModelError('--add-mask-token', `the tokenizer has ${NEW_MASK_TOKEN} already: name it`)
  }
  throw new ModelError(
    TOKENIZER_FILE,
    'has no mask token: name one with --mask-token <text or id>, or add one with --add-mask-token',
  )
}

/** A token given by its text, or by its id. */
function tokenId(tokenizer: Tokenizer, token: string, option: string): number {
  const id = tokenizer.idOf(token) ?? (/^\d+$/.test(token) ? Number(token) : undefined)
  if (id === undefined) throw new ModelError(option, `the tokenizer has no token '${token}'`)
  return id
}

function stopIds(tokenizer: Tokenizer, known: number[], more: readonly string[]): number[] {
  const named = more.map((token) => tokenId(tokenizer, token, '--stop-token'))
  return [...known, ...named.filter((id) => !known.includes(id))]
}

const idsSchema = z.looseObject({
  bos_token_id: z.int().nullish(),
  eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(),
  pad_token_id: z.int().nullish(),
})

/** The facts as `config.json`, `generation_config.json` and the tokenizer tell them. */
async function deriveSource(
  folder: string,
  { config, tokenizer, id }: { config: CheckpointConfig; tokenizer: Tokenizer; id: string },
): Promise<ModelSource> {
  const read = async (file: string) =>
    idsSchema.safeParse((await readJsonIfAny(folder, file)) ?? {}).data ?? {}
  const named = [await read('generation_config.json'), await read('config.json')]
  const stops = named.flatMap(({ eos_token_id: eos }) => eos ?? [])
  const tokenizerStop = tokenizer.specialId('eos_token')
  if (tokenizerStop !== undefined) stops.push(tokenizerStop)
  const eosTokenIds = [...new Set(stops)].sort((a, b) => a - b)
  const first = (name: 'bos_token_id' | 'pad_token_id') =>
    named.map((ids) => ids[name]).find((each) => typeof each === 'number')
  const fallback = eosTokenIds[0] ?? 0
  return {
    id,
    name: id,
    maskTokenId: 0, // always replaced: without a mask nothing is built
    bosTokenId: tokenizer.specialId('bos_token') ?? first('bos_token_id') ?? fallback,
    eosTokenIds,
    padTokenId: tokenizer.specialId('pad_token') ?? first('pad_token_id') ?? fallback,
    contextLength: Math.min(config.maxPositions, CONTEXT_DEFAULT),
    maxBlockLength: limits.blockLengthMax,
    defaults: DEFAULTS,
    provenance: { createdBy: 'setblock build', license: 'see the original model' },
  }
}

function checkSource(
  source: ModelSource,
  { architecture, maxPositions }: CheckpointConfig,
  file: string,
): void {
  const { vocabularySize } = architecture
  if (vocabularySize <= limits.topKMax) {
    throw new ModelError('config.json vocab_size', `must exceed ${limits.topKMax}`)
  }
  if (source.eosTokenIds.length === 0) {
    throw new ModelError(
      'config.json eos_token_id',
      'no file names an end token: name one with --stop-token <text or id>',
    )
  }
  if (source.contextLength > maxPositions) {
    throw new ModelError(
      `${file} contextLength`,
      `must not exceed max_position_embeddings ${maxPositions}`,
    )
  }
}
