import { Tokenizer } from '@huggingface/tokenizers'
import { ApiError } from '@setblock/shared'
import { tokenToBytes } from './byte-level.ts'

/** Text to token ids and token ids to bytes, for byte-level BPE vocabularies. */
export interface TextTokenizer {
  /** Token ids 0 .. vocabularySize - 1 exist. */
  readonly vocabularySize: number
  /** No token stands for more UTF-16 units of text than this. */
  readonly longestToken: number
  /** Ids of text from outside: `<|end|>` inside it is ordinary characters, never a control. */
  encodeText(text: string): number[]
  /** Ids of text from the model's own template, in which special tokens are recognised. */
  encodeTemplate(text: string): number[]
  /** The bytes a token adds to the text; none for special tokens. */
  bytesOf(this: void, id: number): Uint8Array
  /** How the vocabulary writes a token; for control tokens, which have no bytes. */
  nameOf(this: void, id: number): string
}

/**
 * Builds a tokenizer from parsed `tokenizer.json` and `tokenizer_config.json`.
 * Throws Error naming the field when the vocabulary is not byte-level.
 */
export function createTextTokenizer(file: object, config: object): TextTokenizer {
  assertByteLevel(file)
  const library = new Tokenizer(file, config)
  const { model, normalizer, pre_tokenizer: preTokenizer } = library
  if (model === null || preTokenizer === null) throw new Error('the tokenizer has no model')
  const added = library.get_added_tokens_decoder()
  const utf8 = new TextEncoder()
  const isSpecial = (id: number) => added.get(id)?.special === true

  let vocabularySize = 0
  let longestToken = 0
  for (const [token, id] of library.get_vocab(true)) {
    vocabularySize = Math.max(vocabularySize, id + 1)
    // A character of a byte-level token is one byte of UTF-8, so at most one UTF-16 unit of text.
    longestToken = Math.max(longestToken, token.length)
  }

  function bytesOf(id: number): Uint8Array {
    if (isSpecial(id)) return new Uint8Array()
    const plain = added.get(id)
    if (plain !== undefined) return utf8.encode(plain.content)
    const token = library.id_to_token(id)
    if (token === undefined) throw new RangeError(`no token has the id ${id}`)
    return tokenToBytes(token)
  }

  return {
    vocabularySize,
    longestToken,
    bytesOf,
    nameOf: (id) => library.id_to_token(id) ?? '',
    encodeTemplate: (text) => library.encode(text, { add_special_tokens: false }).ids,
    // The library's encode() looks for special tokens first and has no switch for it, so text from
    // outside goes through the parts behind that search.
    encodeText(text) {
      if (text === '') return []
      const normalized = normalizer === null ? text : normalizer(text)
      const tokens: string[] = model(preTokenizer(normalized, { section_index: 0 }))
      return tokens.map((token) => {
        const id = model.tokens_to_ids.get(token)
        if (id === undefined || isSpecial(id)) {
          throw new ApiError('invalid_request', 'the text holds a piece that cannot be encoded')
        }
        return id
      })
    },
  }
}

/** Tokens of other vocabularies, such as SentencePiece's of Llama 2, are not spelled in bytes. */
function assertByteLevel(file: object): void {
  const preTokenizer = 'pre_tokenizer' in file ? file.pre_tokenizer : null
  if (JSON.stringify(preTokenizer).includes('"ByteLevel"')) return
  throw new Error(
    'tokenizer.json pre_tokenizer: is not ByteLevel; only byte-level vocabularies (as of Llama 3 ' +
      'and Qwen, not of Llama 2) can be turned into text',
  )
}
