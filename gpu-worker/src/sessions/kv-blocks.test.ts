import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { CACHE_BLOCK_TOKENS } from './block-keys.ts'
import { FolderStore } from './folder-store.ts'
import type { KvBlock } from '../scheduler/kv-carry.ts'
import { KvBlocks, type KvBlocksOptions, type KvOwner } from './kv-blocks.ts'

const B = CACHE_BLOCK_TOKENS
const BLOCK_BYTES = 16

let root: string
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'setblock-kv-'))
})
after(() => rm(root, { recursive: true, force: true }))

const tokens = (length: number, first = 10): number[] =>
  Array.from({ length }, (_, index) => first + index)

/** Stands for the keys and values of the block that begins with this token. */
function block(first: number): KvBlock {
  return new Float32Array(BLOCK_BYTES / 4).fill(first)
}

const blocksOf = (tokenIds: readonly number[], first = 0): KvBlock[] =>
  Array.from({ length: Math.floor(tokenIds.length / B) - first }, (_, index) =>
    block(tokenIds[(first + index) * B]!),
  )

function create(change: Partial<KvBlocksOptions> = {}): KvBlocks {
  return new KvBlocks({
    memoryBytesMax: 100 * BLOCK_BYTES,
    secret: new Uint8Array(32),
    ...change,
  })
}

const owner = (tenant: string, graphSha256 = 'graph'): KvOwner => ({
  tenant,
  kv: { graphSha256, blockLength: 4 },
})

async function loaded(
  kv: KvBlocks,
  whose: string | KvOwner,
  prompt: readonly number[],
): Promise<number[]> {
  const { blocks } = await kv.load(typeof whose === 'string' ? owner(whose) : whose, prompt)
  return blocks.map((each) => each[0]!)
}

test('the longest known prefix is found in whole blocks, short of the last prompt token', async () => {
  const kv = create()
  const text = tokens(3 * B + 5)
  kv.keep(owner('tenant'), text, { first: 0, blocks: blocksOf(text) })
  const starts = [10, 10 + B, 10 + 2 * B]
  assert.deepEqual(await loaded(kv, 'tenant', [...text, 7]), starts)
  assert.deepEqual(await loaded(kv, 'tenant', text.slice(0, 2 * B + 1)), starts.slice(0, 2))
  assert.deepEqual(await loaded(kv, 'tenant', text.slice(0, 2 * B)), starts.slice(0, 1))
  const edited = [...text.slice(0, B + 3), 7, ...text.slice(B + 4)]
  assert.deepEqual(await loaded(kv, 'tenant', edited), starts.slice(0, 1))
  assert.deepEqual(await loaded(kv, 'tenant', [7, ...text.slice(1)]), [])
  assert.deepEqual(await loaded(kv, 'other', text), [])
})

test('blocks are added behind those that are known', async () => {
  const kv = create()
  const text = tokens(4 * B)
  kv.keep(owner('tenant'), text, { first: 0, blocks: blocksOf(text.slice(0, 2 * B)) })
  kv.keep(owner('tenant'), text, { first: 2, blocks: blocksOf(text, 2) })
  assert.equal((await loaded(kv, 'tenant', [...text, 1])).length, 4)
})

test('the memory budget holds; the end of the least recently used prefix leaves first', async () => {
  const kv = create({ memoryBytesMax: 5 * BLOCK_BYTES })
  const [old, recent, third] = [tokens(3 * B, 10), tokens(2 * B, 500), tokens(B, 900)]
  for (const text of [old, recent, third])
    kv.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
  assert.equal(kv.memoryBytes, 5 * BLOCK_BYTES)
  assert.equal((await loaded(kv, 't', [...old, 1])).length, 2)
  assert.equal((await loaded(kv, 't', [...recent, 1])).length, 2)
})

test('blocks outlive the process in a store, with and without encryption', async () => {
  for (const masterKey of [undefined, new Uint8Array(32).fill(1)]) {
    const store = new FolderStore(path.join(root, `outlive-${masterKey === undefined}`))
    const text = tokens(3 * B)
    const first = create({ store, masterKey })
    first.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
    await first.flush()
    assert.equal(first.counts.stored, 3)
    const second = create({ store, masterKey })
    assert.deepEqual(await loaded(second, 't', [...text, 1]), [10, 10 + B, 10 + 2 * B])
    assert.deepEqual(second.counts, { ...second.counts, restored: 3, hits: 0, corrupt: 0 })
    assert.equal((await loaded(second, 't', [...text, 1])).length, 3)
    assert.equal(second.counts.hits, 3)
    assert.deepEqual(await loaded(second, 'another tenant', [...text, 1]), [])
  }
})

test('the budget of the store holds, and what was used last stays', async () => {
  const store = new FolderStore(path.join(root, 'budget'))
  const stored = async () => (await store.list('kv')).reduce((sum, object) => sum + object.bytes, 0)
  const [old, recent] = [tokens(2 * B, 10), tokens(2 * B, 500)]
  const first = create({ store })
  first.keep(owner('t'), old, { first: 0, blocks: blocksOf(old) })
  await first.flush()
  const storeBytesMax = 2.2 * (await stored())
  const kv = create({ store, local: { store, bytesMax: storeBytesMax }, memoryBytesMax: 0 })
  for (const text of [old, recent]) kv.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
  await kv.flush()
  assert.equal((await loaded(kv, 't', [...old, 1])).length, 2)
  const third = tokens(B, 900)
  kv.keep(owner('t'), third, { first: 0, blocks: blocksOf(third) })
  await kv.flush()
  await kv.sweep()
  assert.ok((await stored()) <= storeBytesMax)
  assert.ok(kv.counts.evicted >= 1)
  assert.equal((await loaded(kv, 't', [...third, 1])).length, 1)
  assert.equal((await loaded(kv, 't', [...old, 1])).length, 2)
  assert.ok((await loaded(kv, 't', [...recent, 1])).length < 2)
})

test('a damaged block is counted, cut off and stored again', async () => {
  const folder = path.join(root, 'damaged')
  const store = new FolderStore(folder)
  const text = tokens(B)
  const writer = create({ store })
  writer.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
  await writer.flush()
  const [file] = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  const at = path.join(file!.parentPath, file!.name)
  const bytes = await readFile(at)
  bytes[bytes.length - 40]! ^= 1
  await writeFile(at, bytes)
  const reader = create({ store })
  assert.deepEqual(await loaded(reader, 't', [...text, 1]), [])
  assert.equal(reader.counts.corrupt, 1)
  reader.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
  await reader.flush()
  assert.equal((await loaded(create({ store }), 't', [...text, 1])).length, 1)
})

test('models share memory and a store, and never each other’s blocks', async () => {
  const store = new FolderStore(path.join(root, 'graph'))
  const text = tokens(B)
  const [one, other] = [owner('t', 'one'), owner('t', 'other')]
  const kv = create({ store })
  kv.keep(one, text, { first: 0, blocks: [block(1)] })
  assert.deepEqual(await loaded(kv, other, [...text, 1]), [])
  kv.keep(other, text, { first: 0, blocks: [block(2)] })
  await kv.flush()
  for (const each of [kv, create({ store })]) {
    assert.deepEqual(await loaded(each, one, [...text, 1]), [1])
    assert.deepEqual(await loaded(each, other, [...text, 1]), [2])
    assert.deepEqual([each.counts.corrupt, each.counts.mismatched], [0, 0])
  }
})

test('a block that was put where another graph’s belongs is not taken', async () => {
  const folder = path.join(root, 'swapped')
  const store = new FolderStore(folder)
  const text = tokens(B)
  const [one, other] = [owner('t', 'one'), owner('t', 'other')]
  const nameOf = async (whose: KvOwner): Promise<string> => {
    const before = new Set((await store.list('kv')).map(({ name }) => name))
    const writer = create({ store })
    writer.keep(whose, text, { first: 0, blocks: blocksOf(text) })
    await writer.flush()
    return (await store.list('kv')).map(({ name }) => name).find((name) => !before.has(name))!
  }
  const [source, target] = [await nameOf(one), await nameOf(other)]
  await writeFile(path.join(folder, target), await readFile(path.join(folder, source)))
  const reader = create({ store })
  assert.deepEqual(await loaded(reader, other, [...text, 1]), [])
  assert.equal(reader.counts.mismatched, 1)
  assert.equal((await loaded(reader, one, [...text, 1])).length, 1)
})

test('a store that fails costs the block, not the job', async () => {
  const fails = async (): Promise<never> => {
    throw new Error('no space left')
  }
  const store = { get: fails, putNew: fails, list: fails, remove: fails }
  const kv = create({ store })
  const text = tokens(B)
  assert.deepEqual(await loaded(kv, 't', [...text, 1]), [])
  kv.keep(owner('t'), text, { first: 0, blocks: blocksOf(text) })
  await kv.flush()
  assert.equal(kv.counts.dropped, 1)
  assert.equal((await loaded(kv, 't', [...text, 1])).length, 1)
})
