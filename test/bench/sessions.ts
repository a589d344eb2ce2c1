/**
 * What sessions save: time to first text of a second turn from memory and from disk against a cold
 * one, and how fast keys and values are stored and read back.
 *
 *   npm run bench:sessions -- [--turns 9]
 *
 * Random weights, because the bundled model's context is shorter than the history measured here.
 * The last line is JSON.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { Job } from '@setblock/shared'
import { FolderStore } from '../../gpu-worker/src/sessions/folder-store.ts'
import { KvBlocks } from '../../gpu-worker/src/sessions/kv-blocks.ts'
import { CACHE_BLOCK_TOKENS } from '../../gpu-worker/src/sessions/block-keys.ts'
import { Random } from '../faults/random.ts'
import { WorkerProcess } from '../faults/worker-process.ts'
import { randomModel, RANDOM_SHAPES, type ShapeName } from './random-models.ts'
import { saveAndPrint, stamp } from './results-file.ts'
import { median, pairedRatio } from './statistics.ts'
import { SEED } from './workload.ts'

/** Tokens of the first turn: what the context has room for with two turns more. */
const HISTORY_TOKENS = { 'nano-4k': 1024, '25M': 896 } as const
const TURN_TOKENS = 16
const STORE_BLOCKS = 128
const HEAD_SIZE = 64

const { values } = commandLine({ options: { turns: { type: 'string', default: '9' } } })
const random = new Random(SEED)
const words = (count: number): number[] =>
  Array.from({ length: count }, () => 300 + random.below(3000))

interface Turn {
  readonly worker: WorkerProcess
  readonly model: string
  readonly session: string
  readonly tenant: string
  readonly tokenIds: readonly number[]
  readonly append: boolean
}

let serial = 0

/** Milliseconds from the request to the first revealed token. */
async function firstTokenMs({ worker, model, session, tenant, tokenIds, append }: Turn) {
  const job: Job = {
    id: `bench-${(serial += 1)}`,
    model,
    tokenIds: [...tokenIds],
    maxTokens: TURN_TOKENS,
    stopTokenIds: [],
    decoding: { mode: 'ntp', gamma: 0, blockLength: 6, rule: 'strict' },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 1 },
    session: {
      id: session,
      onDisconnect: 'rollback',
      ...(append && { append: { turnEndIds: [], fillContext: false } }),
    },
  }
  const startedMs = performance.now()
  let firstMs = Number.NaN
  const events = await worker.run(job, tenant, (event) => {
    if (event.type === 'reveal' && Number.isNaN(firstMs)) firstMs = performance.now() - startedMs
  })
  const end = events.at(-1)
  if (end?.type !== 'end') throw new Error('a turn did not end')
  return { firstMs, cachedTokens: end.usage.cachedTokens }
}

/** Cold, then a second turn from memory, then after a restart one from disk beside one computed anew. */
async function measureTurns(shape: keyof typeof HISTORY_TOKENS, folder: string, turns: number) {
  const modelFolder = await randomModel(shape)
  const options = { modelFolder, folder, memoryMb: 1024 }
  const manifest = await readFile(path.join(modelFolder, 'setblock.json'), 'utf8')
  const { id: model } = JSON.parse(manifest) as { id: string }
  const histories = Array.from({ length: turns }, () => words(HISTORY_TOKENS[shape]))
  const times = { cold: [], memory: [], disk: [], recomputed: [] } as Record<string, number[]>
  const take = async (kind: string, turn: Turn): Promise<void> => {
    const { firstMs, cachedTokens } = await firstTokenMs(turn)
    const cached = kind === 'memory' || kind === 'disk'
    if (cached !== cachedTokens > 0) throw new Error(`a ${kind} turn had ${cachedTokens} cached`)
    times[kind]!.push(firstMs)
  }
  let worker = await WorkerProcess.start(options)
  const at = (index: number) => ({ worker, model, session: `s${index}`, tenant: 'bench' })
  await firstTokenMs({
    ...at(-1),
    tokenIds: words(HISTORY_TOKENS[shape]),
    append: false,
    session: 'warm',
  })
  for (const [index, tokenIds] of histories.entries()) {
    await take('cold', { ...at(index), tokenIds, append: false })
    await take('memory', { ...at(index), tokenIds: words(TURN_TOKENS), append: true })
  }
  await worker.stop()
  worker = await WorkerProcess.start(options)
  await firstTokenMs({
    ...at(-1),
    tokenIds: words(HISTORY_TOKENS[shape]),
    append: false,
    session: 'warm2',
  })
  for (const [index, history] of histories.entries()) {
    await take('disk', { ...at(index), tokenIds: words(TURN_TOKENS), append: true })
    const anew = [...history, ...words(3 * TURN_TOKENS)]
    await take('recomputed', { ...at(index), tenant: 'anew', tokenIds: anew, append: false })
  }
  await worker.stop()
  const { cold, memory, disk, recomputed } = times as Record<
    'cold' | 'memory' | 'disk' | 'recomputed',
    number[]
  >
  return {
    coldMs: median(cold),
    memoryMs: median(memory),
    diskMs: median(disk),
    recomputedMs: median(recomputed),
    memoryToCold: pairedRatio(memory, cold),
    diskToRecomputed: pairedRatio(disk, recomputed),
  }
}

/** MB/s of whole blocks of this shape through the folder store, sealed and synced. */
async function measureStore(shape: ShapeName, folder: string, masterKey?: Uint8Array) {
  const { layers, keyValueHeads } = RANDOM_SHAPES[shape]
  const length = CACHE_BLOCK_TOKENS * 2 * layers * keyValueHeads * HEAD_SIZE
  const open = () =>
    new KvBlocks({
      memoryBytesMax: 0,
      store: new FolderStore(folder),
      secret: new Uint8Array(32),
      masterKey,
    })
  const owner = { tenant: 'bench', kv: { graphSha256: 'bench', blockLength: length } }
  const tokenIds = words(STORE_BLOCKS * CACHE_BLOCK_TOKENS + 1)
  const blocks = Array.from({ length: STORE_BLOCKS }, () => {
    const block = new Float32Array(length)
    for (let index = 0; index < length; index += 1) block[index] = random.next() - 0.5
    return block
  })
  const megabytes = (STORE_BLOCKS * length * 4) / 1e6
  const saver = open()
  const savingMs = performance.now()
  saver.keep(owner, tokenIds, { first: 0, blocks })
  await saver.flush()
  const savedMs = performance.now()
  const restored = await open().load(owner, tokenIds)
  const restoredMs = performance.now()
  if (restored.blocks.length !== STORE_BLOCKS) throw new Error('not every block came back')
  return {
    bytesPerToken: (length * 4) / CACHE_BLOCK_TOKENS,
    saveMBps: megabytes / ((savedMs - savingMs) / 1000),
    restoreMBps: megabytes / ((restoredMs - savedMs) / 1000),
  }
}

const result: Record<string, object> = {}
const head = stamp()
const root = await mkdtemp(path.join(tmpdir(), 'setblock-bench-sessions-'))
try {
  for (const shape of ['nano-4k', '25M'] as const) {
    result[shape] = {
      historyTokens: HISTORY_TOKENS[shape],
      ...(await measureTurns(shape, path.join(root, shape), Number(values.turns))),
      plain: await measureStore(shape, path.join(root, `${shape}-plain`)),
      encrypted: await measureStore(shape, path.join(root, `${shape}-sealed`), new Uint8Array(32)),
    }
    process.stdout.write(`${shape}: ${JSON.stringify(result[shape])}\n`)
  }
} finally {
  await rm(root, { recursive: true, force: true })
}
await saveAndPrint('sessions', { ...head, ...result })
