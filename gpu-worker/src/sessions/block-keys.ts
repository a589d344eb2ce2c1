import { createHmac } from 'node:crypto'

/**
 * Positions in one block of the prefix cache. Small enough that a short system prompt fills one,
 * large enough that a block's key is cheap beside its data.
 */
export const CACHE_BLOCK_TOKENS = 32

/**
 * One key for each whole block of a token sequence. A key stands for every token up to the block's
 * end, so equal keys mean equal keys and values in the cache, and for the tenant and the model:
 * `salt` is theirs, and without it neither a key nor a hit can be had. At most `blocksMax` keys.
 */
export function blockKeys(
  salt: Uint8Array,
  tokenIds: readonly number[],
  blocksMax = Number.POSITIVE_INFINITY,
): string[] {
  const blocks = Math.min(Math.floor(tokenIds.length / CACHE_BLOCK_TOKENS), blocksMax)
  const keys: string[] = []
  let parent = ''
  for (let block = 0; block < blocks; block += 1) {
    const start = block * CACHE_BLOCK_TOKENS
    const tokens = Int32Array.from(tokenIds.slice(start, start + CACHE_BLOCK_TOKENS))
    const bytes = new Uint8Array(tokens.buffer)
    parent = createHmac('sha256', salt).update(parent).update(bytes).digest('base64url')
    keys.push(parent)
  }
  return keys
}

/**
 * The salt of a tenant's keys for one model's graph, of 32 bytes. `secret` is the deployment's:
 * workers that share a store share it.
 */
export function blockSalt(
  secret: Uint8Array,
  { tenant, graphSha256 }: { tenant: string; graphSha256: string },
): Uint8Array {
  return createHmac('sha256', secret)
    .update(JSON.stringify([tenant, graphSha256]))
    .digest()
}
