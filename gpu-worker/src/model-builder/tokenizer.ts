import * as z from 'zod'

import { readBytes, readJsonIfAny } from './folder-files.ts'
import { TOKENIZER_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'

export const TOKENIZER_FILE = 'tokenizer.json'
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'
const SPECIAL_TOKENS_FILE = 'special_tokens_map.json'
const TEMPLATE_FILE = 'chat_template.jinja'

/** What an added mask token is called; training/finetune.py calls it the same. */
export const NEW_MASK_TOKEN = '<|mask|>'

const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().min(0), content: z.string() })).default([]),
  model: z
    .looseObject({
      vocab: z.union([
        z.record(z.string(), z.int().min(0)),
        z.array(z.tuple([z.string(), z.number()])), // Unigram: an entry's place is its id
      ]),
    })
    .optional(),
})
type TokenizerJson = z.infer<typeof tokenizerSchema>

/** A special token is its text, or an object that holds it. */
const tokenSchema = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish()
const configSchema = z.looseObject({
  bos_token: tokenSchema,
  eos_token: tokenSchema,
  pad_token: tokenSchema,
  mask_token: tokenSchema,
  added_tokens_decoder: z.record(z.string(), z.looseObject({})).optional(),
})
type TokenizerConfig = z.infer<typeof configSchema>

export type SpecialToken = 'bos_token' | 'eos_token' | 'pad_token' | 'mask_token'

/** A file that the model folder gets. */
export interface TokenizerFile {
  readonly file: string
  readonly bytes: Uint8Array
}

/** A checkpoint's tokenizer: its tokens, and its files as they are to be served. */
export class Tokenizer {
  readonly #json: TokenizerJson
  readonly #config: TokenizerConfig
  readonly #ids: ReadonlyMap<string, number>
  /** Files as they were read; whoever changes one removes it from here. */
  readonly #unchanged: Map<string, Uint8Array>

  private constructor(
    json: TokenizerJson,
    config: TokenizerConfig,
    unchanged: Map<string, Uint8Array>,
  ) {
    this.#json = json
    this.#config = config
    this.#unchanged = unchanged
    this.#ids = tokenIds(json)
  }

  /**
   * Reads `tokenizer.json` and `tokenizer_config.json`, and what newer checkpoints keep apart from
   * them: special tokens and the chat template.
   */
  static async read(folder: string): Promise<Tokenizer> {
    const unchanged = new Map<string, Uint8Array>()
    const parse = async <T>(file: string, schema: z.ZodType<T>): Promise<T> => {
      const bytes = await readBytes(folder, file, TOKENIZER_BYTES_MAX)
      unchanged.set(file, bytes)
      return parseFile(file, bytes, schema)
    }
    const json = await parse(TOKENIZER_FILE, tokenizerSchema)
    const config = await parse(TOKENIZER_CONFIG_FILE, configSchema)
    const special = configSchema.parse((await readJsonIfAny(folder, SPECIAL_TOKENS_FILE)) ?? {})
    const template = await readBytes(folder, TEMPLATE_FILE, TOKENIZER_BYTES_MAX).catch(() => null)
    const added: TokenizerConfig = {}
    for (const name of ['bos_token', 'eos_token', 'pad_token', 'mask_token'] as const) {
      if (!config[name] && special[name]) added[name] = special[name]
    }
    if (template !== null && config.chat_template === undefined) {
      added.chat_template = new TextDecoder().decode(template)
    }
    if (Object.keys(added).length > 0) unchanged.delete(TOKENIZER_CONFIG_FILE)
    return new Tokenizer(json, { ...config, ...added }, unchanged)
  }

  /** The id behind the last token. */
  get nextId(): number {
    let next = 0
    for (const id of this.#ids.values()) next = Math.max(next, id + 1)
    return next
  }

  /** Whether the tokens are spelled in bytes, which is what the edge can turn into text. */
  get isByteLevel(): boolean {
    return JSON.stringify(this.#json.pre_tokenizer ?? null).includes('"ByteLevel"')
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text)
  }

  /** The id that the configuration gives to a special token, if it names one. */
  specialId(name: SpecialToken): number | undefined {
    const token = this.#config[name]
    if (!token) return undefined
    return this.idOf(typeof token === 'string' ? token : token.content)
  }

  /** With one more special token, the mask. */
  withMask(id: number): Tokenizer {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false }
    const token = { content: NEW_MASK_TOKEN, ...flags, special: true }
    const { added_tokens_decoder: decoder } = this.#config
    const config = {
      ...this.#config,
      mask_token: NEW_MASK_TOKEN,
      ...(decoder && { added_tokens_decoder: { ...decoder, [id]: token } }),
    }
    const json = { ...this.#json, added_tokens: [...this.#json.added_tokens, { id, ...token }] }
    return new Tokenizer(json, config, new Map())
  }

  /** Byte for byte those of the checkpoint unless something was added. */
  files(): TokenizerFile[] {
    const file = (name: string, content: object): TokenizerFile => {
      const known = this.#unchanged.get(name)
      return { file: name, bytes: known ?? encode(content) }
    }
    return [file(TOKENIZER_FILE, this.#json), file(TOKENIZER_CONFIG_FILE, this.#config)]
  }
}

function encode(content: object): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`)
}

function tokenIds({ added_tokens: added, model }: TokenizerJson): Map<string, number> {
  const vocabulary = model?.vocab ?? {}
  const ids = new Map<string, number>(
    Array.isArray(vocabulary)
      ? vocabulary.map(([content], id) => [content, id])
      : Object.entries(vocabulary),
  )
  for (const { id, content } of added) ids.set(content, id)
  return ids
}

function parseFile<T>(file: string, bytes: Uint8Array, schema: z.ZodType<T>): T {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new ModelError(file, 'is not valid JSON', { cause })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ModelError(`${file} ${issue.path.join('.')}`.trim(), issue.message)
}
