import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { bytesOfToken } from './byte-level.ts'

const tokenizerSchema = z.object({
  added_tokens: z.array(z.object({ id: z.int().min(0), content: z.string() })).default([]),
  decoder: z.object({ type: z.literal('ByteLevel') }),
  model: z.object({
    type: z.literal('BPE'),
    vocab: z.record(z.string(), z.int().min(0)),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
})
type Tokenizer = z.infer<typeof tokenizerSchema>

/** The tokens of a model as bytes: the one place where the worker knows what a token stands for. */
export class Vocabulary {
  readonly #bytes: readonly (Uint8Array | undefined)[]
  /** Token ids in the order of their bytes, so that those with a common beginning are neighbours. */
  readonly #sorted: readonly number[]
  readonly #byteTokens: ReadonlyMap<number, number>
  readonly #merges: ReadonlyMap<string, { rank: number; id: number }>

  private constructor({ model, added_tokens: added }: Tokenizer) {
    const control = new Set(added.map(({ id }) => id))
    const bytes: (Uint8Array | undefined)[] = []
    for (const [token, id] of Object.entries(model.vocab)) {
      if (!control.has(id)) bytes[id] = bytesOfToken(token)
    }
    this.#bytes = bytes
    const ids = [...bytes.keys()].filter((id) => (bytes[id]?.length ?? 0) > 0)
    this.#sorted = ids.sort((a, b) =>
      Buffer.compare(bytes[a] as Uint8Array, bytes[b] as Uint8Array),
    )
    this.#byteTokens = new Map(
      ids.flatMap((id) => {
        const [byte, ...more] = bytes[id] as Uint8Array
        return byte !== undefined && more.length === 0 ? [[byte, id]] : []
      }),
    )
    if (this.#byteTokens.size < 256) throw new Error('the vocabulary lacks tokens for some bytes')
    this.#merges = readMerges(model)
  }

  /** @throws Error if the file is no byte-level BPE tokenizer with a token for every byte. */
  static load(file: string): Vocabulary {
    return new Vocabulary(tokenizerSchema.parse(JSON.parse(readFileSync(file, 'utf8'))))
  }

  /** Undefined for control tokens, which stand for no text. */
  bytesOf(tokenId: number): Uint8Array | undefined {
    return this.#bytes[tokenId]
  }

  tokenOfByte(byte: number): number {
    return this.#byteTokens.get(byte) as number
  }

  /** The tokens that begin with these bytes and are longer, in order of their bytes. */
  *longerThan(prefix: Uint8Array): Generator<number> {
    for (let at = this.#firstNotBelow(prefix); at < this.#sorted.length; at += 1) {
      const id = this.#sorted[at] as number
      const bytes = this.#bytes[id] as Uint8Array
      if (Buffer.compare(bytes.subarray(0, prefix.length), prefix) !== 0) return
      if (bytes.length > prefix.length) yield id
    }
  }

  #firstNotBelow(prefix: Uint8Array): number {
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const bytes = this.#bytes[this.#sorted[middle] as number] as Uint8Array
      if (Buffer.compare(bytes, prefix) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Byte pair encoding of a short text: pairs are merged in the order in which they were learned. */
  encode(bytes: Uint8Array): number[] {
    const ids = Array.from(bytes, (byte) => this.tokenOfByte(byte))
    for (;;) {
      let best: { at: number; rank: number; id: number } | undefined
      for (let at = 0; at + 1 < ids.length; at += 1) {
        const merge = this.#merges.get(`${ids[at]} ${ids[at + 1]}`)
        if (merge !== undefined && merge.rank < (best?.rank ?? Number.POSITIVE_INFINITY)) {
          best = { at, ...merge }
        }
      }
      if (best === undefined) return ids
      ids.splice(best.at, 2, best.id)
    }
  }
}

function readMerges({ vocab, merges }: Tokenizer['model']) {
  const byPair = new Map<string, { rank: number; id: number }>()
  for (const [rank, merge] of merges.entries()) {
    const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ') : merge
    const id = vocab[left + right]
    if (id !== undefined) byPair.set(`${vocab[left]} ${vocab[right]}`, { rank, id })
  }
  return byPair
}
