import { assert } from '@setblock/shared'
import type { Manifest } from '@setblock/shared'

import { fillAttentionBias, fillRows, forwardShape } from './attention-mask.ts'
import { selectRows } from './attention-mask.ts'
import type { ForwardShape, SequenceInput } from './attention-mask.ts'
import { checkRows } from './check-rows.ts'
import type { RowLimits } from './check-rows.ts'
import type { Engine, EngineLimits, SequenceId, SequenceRows } from './engine.ts'
import { FeedBuffer } from './feed-buffer.ts'
import { GRAPH, graphInputs } from './graph-contract.ts'
import { KV_BYTES_MAX_DEFAULT, KvPool, sequencesWithin } from './kv-pool.ts'
import type { LoadedModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import type { Feed, Feeds, RuntimeOptions } from './onnx-graph.ts'
import { PastFeeds } from './past-feeds.ts'
import { planRuns, runCost } from './plan-runs.ts'
import type { RunCost } from './plan-runs.ts'
import { GROUPS_MAX, headsPerGroup, poolOptions } from './pool-options.ts'
import { splitResults, wantedOutputs } from './results.ts'
import { ThreadedGraph } from './threaded-graph.ts'
import type { WideOptions } from './threaded-graph.ts'
import type { RowResults } from '../decoding/rows.ts'

/**
 * Rows of one sequence in one forward: a prompt chunk of 256 and the groups that may ride with it.
 */
const ROWS_MAX = 512

export interface OnnxEngineOptions extends RuntimeOptions, WideOptions {
  /** Sequences wanted; `limits.sequencesMax` tells how many of them the caches have room for. */
  readonly sequencesMax: number
  /** Host memory for the caches of all sequences together; KV_BYTES_MAX_DEFAULT if absent. */
  readonly kvBytesMax?: number
}

/** @throws ModelError if the runtime refuses the graph or not even one sequence fits kvBytesMax. */
export async function createOnnxEngine(
  model: LoadedModel,
  options: OnnxEngineOptions,
): Promise<OnnxEngine> {
  const { kvBytesMax = KV_BYTES_MAX_DEFAULT } = options
  const sequencesMax = sequencesWithin(
    poolOptions(model.manifest, options.sequencesMax),
    kvBytesMax,
  )
  if (sequencesMax === 0) {
    const reason = `the cache of one sequence does not fit ${kvBytesMax} bytes`
    throw new ModelError(model.manifest.id, reason)
  }
  const file = model.form.data === undefined ? model.graph : model.path
  const graph = await ThreadedGraph.load(file, options, options)
  const inputs = graphInputs(model.manifest.architecture.layers)
  if (inputs.toSorted().join() !== graph.inputNames.toSorted().join()) {
    await graph.dispose()
    throw new ModelError(model.manifest.id, 'its graph has other inputs: build the model again')
  }
  const engine = new OnnxEngine(graph, model.manifest, sequencesMax)
  await engine.tuneThreads()
  return engine
}

/** What a forward left of a sequence that has not committed. */
interface Pending {
  /** Keys and values of its rows, from its first row on. */
  readonly newRows: Float32Array
  readonly tailRows: number
}

/** The engine on ONNX Runtime's CPU provider, cache on the host. */
export class OnnxEngine implements Engine {
  readonly limits: EngineLimits
  readonly #graph: ThreadedGraph
  readonly #pool: KvPool
  readonly #pastFeeds: PastFeeds
  readonly #rowLimits: RowLimits
  /** Values per row of `new_rows`: keys and values of every layer. */
  readonly #newRowLength: number
  readonly #headsPerGroup: number
  readonly #runCost: RunCost
  readonly #buffers = {
    ids: int32Buffer(),
    spread: int32Buffer(),
    packed: int32Buffer(),
    positions: new FeedBuffer((length) => new BigInt64Array(length)),
    writePositions: new FeedBuffer((length) => new BigInt64Array(length)),
    bias: new FeedBuffer((length) => new Float32Array(length)),
    logitRows: int32Buffer(),
    entropyRows: int32Buffer(),
    topRows: int32Buffer(),
  }
  #pending = new Map<SequenceId, Pending>()
  #state: 'idle' | 'running' | 'disposed' = 'idle'

  constructor(graph: ThreadedGraph, manifest: Manifest, sequencesMax: number) {
    const { architecture, contextLength, maxBlockLength } = manifest
    this.limits = { sequencesMax, contextLength, maxBlockLength, rowsMax: ROWS_MAX }
    this.#graph = graph
    this.#headsPerGroup = headsPerGroup(manifest)
    this.#runCost = runCost(architecture)
    this.#rowLimits = {
      ...this.limits,
      groupRowsMax: GROUPS_MAX * maxBlockLength,
      vocabularySize: architecture.vocabularySize,
    }
    const pool = poolOptions(manifest, sequencesMax)
    this.#newRowLength = pool.planes * pool.rowLength
    this.#pool = new KvPool(pool)
    this.#pastFeeds = new PastFeeds(this.#pool, pool)
  }

  /** See WideOptions. */
  get wideFromRows(): number {
    return this.#graph.wideFromRows
  }

  open(): SequenceId {
    return this.#pool.open()
  }

  close(sequence: SequenceId): void {
    this.#pending.delete(sequence)
    this.#pastFeeds.forget(sequence)
    this.#pool.close(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#pool.cachedLength(sequence)
  }

  async forward(batch: readonly SequenceRows[]): Promise<RowResults[]> {
    assert(this.#state === 'idle', `forward while ${this.#state}`)
    const inputs = this.#checkBatch(batch)
    this.#pending.clear()
    const results: RowResults[] = []
    this.#state = 'running'
    try {
      for (const run of planRuns(inputs, this.#runCost)) {
        const ofRun = await this.#run(
          run.map((index) => batch[index]!),
          run.map((index) => inputs[index]!),
        )
        for (const [place, index] of run.entries()) results[index] = ofRun[place]!
      }
    } finally {
      this.#state = 'idle'
    }
    return results
  }

  commit(sequence: SequenceId, rows: number): void {
    const pending = this.#pending.get(sequence)
    assert(pending !== undefined, `sequence ${sequence} has no forward to commit`)
    assert(
      Number.isInteger(rows) && rows >= 0 && rows <= pending.tailRows,
      `commit of ${rows} rows is not within the ${pending.tailRows} tail rows`,
    )
    this.#pending.delete(sequence)
    this.#pool.append(sequence, pending.newRows, rows)
  }

  exportRows(sequence: SequenceId, start: number, rows: number): Float32Array<ArrayBuffer> {
    return this.#pool.read(sequence, start, rows)
  }

  importRows(sequence: SequenceId, data: Float32Array, rows: number): void {
    this.#pending.delete(sequence)
    this.#pool.append(sequence, data, rows)
  }

  /** Measures from how many rows on several threads pay; nothing to do if there is but one. */
  async tuneThreads(): Promise<void> {
    if (!this.#graph.isTunable) return
    const sequence = this.open()
    const rowsOf = (count: number): SequenceRows => {
      const tail = Array.from({ length: Math.min(count, this.limits.contextLength) }, () => 0)
      return { sequence, tail, groups: [], readTail: tail.length, entropies: false, top: 'none' }
    }
    try {
      await this.#graph.tune((rows) => this.forward([rowsOf(rows)]))
    } finally {
      this.close(sequence)
    }
  }

  /** Free and used sequences are all sequences. @throws InvariantError */
  checkIntegrity(): void {
    this.#pool.checkIntegrity()
  }

  async dispose(): Promise<void> {
    if (this.#state === 'disposed') return
    assert(this.#state === 'idle', 'dispose during a forward')
    this.#state = 'disposed'
    await this.#graph.dispose()
  }

  #checkBatch(batch: readonly SequenceRows[]): SequenceInput[] {
    const { sequencesMax } = this.limits
    assert(
      batch.length >= 1 && batch.length <= sequencesMax,
      `a batch of ${batch.length} sequences is not within 1..${sequencesMax}`,
    )
    const distinct = new Set(batch.map(({ sequence }) => sequence))
    assert(distinct.size === batch.length, 'a sequence is twice in one batch')
    return batch.map((rows) => {
      const input = { rows, cachedLength: this.#pool.cachedLength(rows.sequence) }
      checkRows(input, this.#rowLimits)
      return input
    })
  }

  async #run(
    batch: readonly SequenceRows[],
    inputs: readonly SequenceInput[],
  ): Promise<RowResults[]> {
    const shape = forwardShape(inputs, this.#headsPerGroup)
    const sequences = batch.map(({ sequence }) => sequence)
    const feeds: Feeds = {
      ...this.#rowFeeds(shape, inputs),
      ...this.#selectorFeeds(inputs),
      ...this.#pastFeeds.feeds(sequences, shape.keys),
    }
    const outputs = await this.#graph.run(feeds, wantedOutputs(batch), shape.packedRows)
    const newRows = outputs[GRAPH.newRows]!.data as Float32Array
    for (const [index, { sequence, tail }] of batch.entries()) {
      const start = index * shape.rows * this.#newRowLength
      this.#pending.set(sequence, { newRows: newRows.subarray(start), tailRows: tail.length })
    }
    return splitResults(batch, outputs)
  }

  #rowFeeds(shape: ForwardShape, inputs: readonly SequenceInput[]): Feeds {
    const { sequences, packedRows, rows, keys } = shape
    const ids = this.#buffers.ids.take([packedRows])
    const packed = this.#buffers.packed.take([packedRows])
    const spread = this.#buffers.spread.take([sequences, rows])
    const positions = this.#buffers.positions.take([sequences, rows])
    const writePositions = this.#buffers.writePositions.take([sequences])
    const bias = this.#buffers.bias.take([sequences, 1, rows * shape.headsPerGroup, keys])
    const rowBuffers = { ids: ids.data, spread: spread.data, packed: packed.data }
    fillRows({ ...rowBuffers, positions: positions.data }, shape, inputs)
    fillAttentionBias(bias.data, shape, inputs)
    for (const [index, { cachedLength }] of inputs.entries()) {
      writePositions.data[index] = BigInt(cachedLength)
    }
    return {
      [GRAPH.inputIds]: ids.feed,
      [GRAPH.spreadRows]: spread.feed,
      [GRAPH.packedRows]: packed.feed,
      [GRAPH.positionIds]: positions.feed,
      [GRAPH.writePositions]: writePositions.feed,
      [GRAPH.attentionBias]: bias.feed,
    }
  }

  /** The runtime needs an entry in each selector; what it makes of a row 0 nobody reads is left. */
  #selectorFeeds(inputs: readonly SequenceInput[]): Feeds {
    const { logitRows, entropyRows, topRows } = selectRows(inputs)
    const feedOf = (buffer: FeedBuffer<Int32Array>, rows: readonly number[]): Feed => {
      const { data, feed } = buffer.take([Math.max(1, rows.length)])
      data.set(rows.length === 0 ? [0] : rows)
      return feed
    }
    return {
      [GRAPH.logitRows]: feedOf(this.#buffers.logitRows, logitRows),
      [GRAPH.entropyRows]: feedOf(this.#buffers.entropyRows, entropyRows),
      [GRAPH.topRows]: feedOf(this.#buffers.topRows, topRows),
    }
  }
}

const int32Buffer = (): FeedBuffer<Int32Array> => new FeedBuffer((length) => new Int32Array(length))
