import { createHash } from 'node:crypto'
import type { GraphFile, Manifest } from '@setblock/shared'
import { CACHE_BLOCK_TOKENS } from './block-keys.ts'

/** Everything keys and values depend on beside the tokens. */
export interface KvIdentity {
  /** Of the graph and of its weights outside of it. */
  readonly graphSha256: string
  /** Numbers in one block. */
  readonly blockLength: number
}

/** A model, as far as sessions depend on it. */
export interface SessionModel {
  readonly id: string
  readonly contextLength: number
  /** Tokens mean nothing to another tokenizer. */
  readonly tokenizerSha256: string
  readonly kv: KvIdentity
}

export function toSessionModel(manifest: Manifest, form: GraphFile): SessionModel {
  const { id, contextLength, tokenizer, architecture } = manifest
  const { layers, keyValueHeads, headSize } = architecture
  const blockLength = CACHE_BLOCK_TOKENS * 2 * layers * keyValueHeads * headSize
  const kv = { graphSha256: formDigest(form), blockLength }
  return { id, contextLength, tokenizerSha256: tokenizer.sha256, kv }
}

/** Two models of one shape may have the same graph file, and differ in the weights outside of it. */
function formDigest({ sha256, data = [] }: GraphFile): string {
  if (data.length === 0) return sha256
  const digests = [sha256, ...data.map((file) => file.sha256)]
  return createHash('sha256').update(digests.join()).digest('hex')
}
