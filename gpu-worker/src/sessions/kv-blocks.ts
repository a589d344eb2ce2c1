import { createHash } from 'node:crypto'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import { blockKeys, blockSalt, CACHE_BLOCK_TOKENS } from './block-keys.ts'
import { AtMost } from './at-most.ts'
import { MemoryTier } from './memory-tier.ts'
import type { ObjectStore, StoreTier } from './object-store.ts'
import type { KvIdentity } from './session-model.ts'
import { chooseEvictions, removeAll } from './sweep.ts'
import { seal, tenantKey, unseal, type Label } from './seal.ts'
import { UseTimes } from './use-times.ts'

/** A known prefix of a token sequence. */
export interface Prefix {
  /** Block after block from position 0 on. */
  readonly blocks: readonly KvBlock[]
  /** How many of them came from the store. */
  readonly restored: number
  /** The farthest place that one came from; none where there are no blocks. */
  readonly from: StoreTier | 'none'
}

export interface KvBlocksOptions {
  /** Host memory for blocks, bytes. */
  readonly memoryBytesMax: number
  /** Where blocks outlive the process; without it they live in memory alone. */
  readonly store?: ObjectStore | undefined
  /** The part of the store that is this machine's own, and what blocks there may take together. */
  readonly local?: { readonly store: ObjectStore; readonly bytesMax: number } | undefined
  /** 32 bytes; without it blocks lie in plain. */
  readonly masterKey?: Uint8Array | undefined
  readonly secret: Uint8Array
}

/** Whose keys and values, and of which model. */
export interface KvOwner {
  readonly tenant: string
  readonly kv: KvIdentity
}

export interface KvBlocksCounts {
  /** Blocks found in memory. */
  hits: number
  /** Blocks found sound in the store, and those of them that came from the bucket. */
  restored: number
  fromBucket: number
  /** Whole blocks of prompts that were known nowhere. */
  recomputed: number
  corrupt: number
  mismatched: number
  stored: number
  /** Blocks removed from the store because it was full. */
  evicted: number
  /** Blocks not written because the queue was full, or the store failed. */
  dropped: number
}

/** Blocks that may wait to be written; beyond it they are only kept in memory. */
const WRITES_WAITING_MAX = 256
/**
 * Blocks written at once. A write and its sync take many turns of the process's four file threads, which also check
 * the tokens of new jobs and look for their sessions: more at once would keep those waiting behind a cache.
 */
const WRITES_AT_ONCE = 2
/** Each time this part of the store's budget has been written, it is checked. */
const SWEEPS_PER_FILL = 16
/** Uses of older blocks count from when they were written: on a full disk nothing is, and nothing else would bound this. */
const USES_REMEMBERED_MAX = 100_000
const FOLDER = 'kv'
const FARTHEST: readonly StoreTier[] = ['bucket', 'disk', 'memory']

/**
 * Keys and values of earlier tokens, addressed by what they were computed from: all tokens up to
 * the block's end, the model and the tenant. So one store serves every session, every fork and every
 * shared system prompt of a tenant, none of another's, and several models at once. Memory first, then the store; what is found
 * there is verified, and whatever is wrong with it is counted and computed again.
 */
export class KvBlocks {
  readonly counts: KvBlocksCounts = {
    hits: 0,
    restored: 0,
    fromBucket: 0,
    recomputed: 0,
    corrupt: 0,
    mismatched: 0,
    stored: 0,
    evicted: 0,
    dropped: 0,
  }
  readonly #options: KvBlocksOptions
  readonly #memory: MemoryTier<KvBlock>
  readonly #writes = new Map<string, Promise<void>>()
  readonly #turns = new AtMost(WRITES_AT_ONCE)
  readonly #uses = new UseTimes(USES_REMEMBERED_MAX)
  #bytesSinceSweep = 0
  #sweeping: Promise<void> | undefined

  constructor(options: KvBlocksOptions) {
    this.#options = options
    this.#memory = new MemoryTier(options.memoryBytesMax)
  }

  get memoryBytes(): number {
    return this.#memory.bytes
  }

  /** The longest known prefix of a prompt, short of its last token: whose row yields the first prediction. */
  async load(owner: KvOwner, promptIds: readonly number[]): Promise<Prefix> {
    const keys = this.#keys(owner, promptIds, promptIds.length - 1)
    const blocks: KvBlock[] = []
    const places = new Set<StoreTier>()
    let restored = 0
    for (const key of keys) {
      let block = this.#memory.get(key)
      if (block !== undefined) {
        this.counts.hits += 1
        places.add('memory')
      } else {
        block = await this.#read(owner, key, (tier) => places.add(tier))
        if (block === undefined) break
        restored += 1
        this.#memory.put(key, block)
      }
      blocks.push(block)
    }
    this.counts.recomputed += keys.length - blocks.length
    this.#touch(owner.tenant, keys.slice(0, blocks.length))
    return { blocks, restored, from: FARTHEST.find((tier) => places.has(tier)) ?? 'none' }
  }

  /**
   * Keeps the blocks from `first` on of a sequence whose tokens are given. Writing to the store
   * goes on behind.
   */
  keep(
    owner: KvOwner,
    tokenIds: readonly number[],
    { first, blocks }: { first: number; blocks: readonly KvBlock[] },
  ): void {
    const keys = this.#keys(owner, tokenIds, (first + blocks.length) * CACHE_BLOCK_TOKENS)
    for (const [index, block] of blocks.entries()) {
      const key = keys[first + index]
      if (key === undefined || this.#memory.has(key)) continue
      this.#memory.put(key, block)
      this.#write(owner, key, block)
    }
    this.#touch(owner.tenant, keys)
  }

  /** Resolves when everything kept so far is in the store, or was given up. */
  async flush(): Promise<void> {
    await Promise.all(this.#writes.values())
    await this.#sweeping
  }

  #keys({ tenant, kv }: KvOwner, tokenIds: readonly number[], positions: number): string[] {
    const blocksMax = Math.floor(positions / CACHE_BLOCK_TOKENS)
    const salt = blockSalt(this.#options.secret, { tenant, graphSha256: kv.graphSha256 })
    return blockKeys(salt, tokenIds, blocksMax)
  }

  /** A sound block of the store, and where it was. */
  async #read(
    { tenant, kv }: KvOwner,
    key: string,
    onSound: (tier: StoreTier) => void,
  ): Promise<KvBlock | undefined> {
    const { store } = this.#options
    if (store === undefined) return undefined
    const name = this.#name(tenant, key)
    let from = 'disk' as StoreTier
    const sealed = await store.get(name, (tier) => (from = tier)).catch(() => undefined)
    if (sealed === undefined) return undefined
    const data = unseal(sealed, toLabel(name, kv), this.#sealingKey(tenant))
    if (data === 'corrupt' || data === 'mismatch') {
      this.counts[data === 'corrupt' ? 'corrupt' : 'mismatched'] += 1
      // Out of the way, so that what is computed in its place can be stored.
      await store.remove(name).catch(() => undefined)
      return undefined
    }
    this.counts.restored += 1
    if (from === 'bucket') this.counts.fromBucket += 1
    onSound(from)
    const block = new Float32Array(data.byteLength / Float32Array.BYTES_PER_ELEMENT)
    new Uint8Array(block.buffer).set(data)
    return block
  }

  #write({ tenant, kv }: KvOwner, key: string, block: KvBlock): void {
    const { store } = this.#options
    if (store === undefined) return
    if (this.#writes.size >= WRITES_WAITING_MAX) {
      this.counts.dropped += 1
      return
    }
    const name = this.#name(tenant, key)
    const data = new Uint8Array(block.buffer)
    const put = (): Promise<boolean> =>
      store.putNew(name, seal(toLabel(name, kv), data, this.#sealingKey(tenant)))
    const writing = this.#turns
      .run(put)
      .then(
        () => this.#stored(block.byteLength),
        () => void (this.counts.dropped += 1),
      )
      .finally(() => this.#writes.delete(key))
    this.#writes.set(key, writing)
  }

  #stored(bytes: number): void {
    this.counts.stored += 1
    this.#bytesSinceSweep += bytes
    const { local } = this.#options
    if (local === undefined || this.#sweeping) return
    if (this.#bytesSinceSweep * SWEEPS_PER_FILL < local.bytesMax) return
    this.#bytesSinceSweep = 0
    this.#sweeping = this.sweep()
      .catch(() => undefined)
      .finally(() => (this.#sweeping = undefined))
  }

  /** Removes the least recently used blocks until the local store's budget holds. */
  async sweep(): Promise<void> {
    const { local } = this.#options
    if (local === undefined) return
    const { store, bytesMax } = local
    const objects = await store.list(FOLDER)
    const names = chooseEvictions(objects, bytesMax, (name) => this.#uses.of(name))
    this.counts.evicted += await removeAll(store, names)
    const evicted = new Set(names)
    const left = objects.map(({ name }) => name).filter((name) => !evicted.has(name))
    this.#uses.keepOnly(new Set(left))
  }

  /** The end of a prefix must leave before its beginning, which it is of no use without. */
  #touch(tenant: string, keys: readonly string[]): void {
    this.#memory.touch(keys)
    if (this.#options.local === undefined) return
    const names = keys.map((key) => this.#name(tenant, key))
    this.#uses.note(names, Date.now())
  }

  #name(tenant: string, key: string): string {
    const folder = createHash('sha256').update(tenant).digest('base64url')
    return `${FOLDER}/${folder}/${key.slice(0, 2)}/${key}`
  }

  #sealingKey(tenant: string): Uint8Array | undefined {
    const { masterKey } = this.#options
    return masterKey && tenantKey(masterKey, tenant)
  }
}

function toLabel(name: string, { graphSha256, blockLength }: KvIdentity): Label {
  return { kind: 'kv', name, graph: graphSha256, dtype: 'float32', values: blockLength }
}
