import { assert } from '@setblock/shared'
import type { Manifest } from '@setblock/shared'

import { fillAttentionBias, fillRows, forwardShape } from './attention-mask.ts'
import { selectRows } from './attention-mask.ts'
import type { ForwardShape, SequenceInput } from './attention-mask.ts'
import { checkRows } from './check-rows.ts'
import type { RowLimits } from './check-rows.ts'
import type { EngineCache } from './engine-cache.ts'
import type { Engine, EngineLimits, SequenceId, SequenceRows } from './engine.ts'
import { FeedBuffer } from './feed-buffer.ts'
import { GRAPH } from './graph-contract.ts'
import type { Feed, Feeds } from './onnx-graph.ts'
import { planRuns, runCost } from './plan-runs.ts'
import type { RunCost } from './plan-runs.ts'
import { GROUPS_MAX, headsPerGroup } from './pool-options.ts'
import { splitResults, wantedOutputs } from './results.ts'
import type { RowResults } from '../decoding/rows.ts'

/**
 * Rows of one sequence in one forward: a prompt chunk of 256 and the groups that may ride with it.
 */
const ROWS_MAX = 512

/**
 * The engine on ONNX Runtime: batches to graph inputs, outputs to results. Where keys and values are
 * is the affair of its cache.
 */
export class GraphEngine implements Engine {
  readonly limits: EngineLimits
  readonly #cache: EngineCache
  readonly #rowLimits: RowLimits
  readonly #headsPerGroup: number
  readonly #runCost: RunCost
  readonly #buffers = {
    ids: int32Buffer(),
    spread: int32Buffer(),
    packed: int32Buffer(),
    positions: new FeedBuffer((length) => new BigInt64Array(length)),
    bias: new FeedBuffer((length) => new Float32Array(length)),
    logitRows: int32Buffer(),
    entropyRows: int32Buffer(),
    topRows: int32Buffer(),
  }
  /** Tail rows that the last forward computed of sequences that have not committed. */
  #pending = new Map<SequenceId, number>()
  #state: 'idle' | 'running' | 'disposed' = 'idle'

  constructor(cache: EngineCache, manifest: Manifest, sequencesMax: number) {
    const { architecture, contextLength, maxBlockLength } = manifest
    this.limits = { sequencesMax, contextLength, maxBlockLength, rowsMax: ROWS_MAX }
    this.#cache = cache
    this.#headsPerGroup = headsPerGroup(manifest)
    this.#runCost = runCost(architecture)
    this.#rowLimits = {
      ...this.limits,
      groupRowsMax: GROUPS_MAX * maxBlockLength,
      vocabularySize: architecture.vocabularySize,
    }
  }

  open(): SequenceId {
    return this.#cache.open()
  }

  close(sequence: SequenceId): void {
    this.#pending.delete(sequence)
    this.#cache.close(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#cache.cachedLength(sequence)
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
    const tailRows = this.#pending.get(sequence)
    assert(tailRows !== undefined, `sequence ${sequence} has no forward to commit`)
    assert(
      Number.isInteger(rows) && rows >= 0 && rows <= tailRows,
      `commit of ${rows} rows is not within the ${tailRows} tail rows`,
    )
    this.#pending.delete(sequence)
    this.#cache.commit(sequence, rows)
  }

  exportRows(sequence: SequenceId, start: number, rows: number) {
    return this.#cache.read(sequence, start, rows)
  }

  importRows(sequence: SequenceId, data: Float32Array, rows: number): Promise<void> {
    this.#pending.delete(sequence)
    return this.#cache.append(sequence, data, rows)
  }

  /** Free and used sequences are all sequences. @throws InvariantError */
  checkIntegrity(): void {
    this.#cache.checkIntegrity()
  }

  async dispose(): Promise<void> {
    if (this.#state === 'disposed') return
    assert(this.#state === 'idle', 'dispose during a forward')
    this.#state = 'disposed'
    await this.#cache.dispose()
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
      const input = { rows, cachedLength: this.#cache.cachedLength(rows.sequence) }
      checkRows(input, this.#rowLimits)
      return input
    })
  }

  async #run(
    batch: readonly SequenceRows[],
    inputs: readonly SequenceInput[],
  ): Promise<RowResults[]> {
    const shape = forwardShape(inputs, this.#headsPerGroup)
    const outputs = await this.#cache.run({
      sequences: batch.map(({ sequence }) => sequence),
      shape,
      feeds: { ...this.#rowFeeds(shape, inputs), ...this.#selectorFeeds(inputs) },
      outputs: wantedOutputs(batch),
    })
    for (const { sequence, tail } of batch) this.#pending.set(sequence, tail.length)
    return splitResults(batch, outputs)
  }

  #rowFeeds(shape: ForwardShape, inputs: readonly SequenceInput[]): Feeds {
    const { sequences, packedRows, rows, keys } = shape
    const ids = this.#buffers.ids.take([packedRows])
    const packed = this.#buffers.packed.take([packedRows])
    const spread = this.#buffers.spread.take([sequences, rows])
    const positions = this.#buffers.positions.take([sequences, rows])
    const bias = this.#buffers.bias.take([sequences, 1, rows * shape.headsPerGroup, keys])
    const rowBuffers = { ids: ids.data, spread: spread.data, packed: packed.data }
    fillRows({ ...rowBuffers, positions: positions.data }, shape, inputs)
    fillAttentionBias(bias.data, shape, inputs)
    return {
      [GRAPH.inputIds]: ids.feed,
      [GRAPH.spreadRows]: spread.feed,
      [GRAPH.packedRows]: packed.feed,
      [GRAPH.positionIds]: positions.feed,
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
