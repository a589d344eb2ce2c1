import { assert } from '@setblock/shared'
import type { Manifest } from '@setblock/shared'

import {
  fillAttentionBias,
  fillTokens,
  forwardShape,
  roundUpKeys,
  selectRows,
} from './attention-mask.ts'
import type { ForwardShape, SequenceInput } from './attention-mask.ts'
import { checkRows } from './check-rows.ts'
import type { RowLimits } from './check-rows.ts'
import type { Engine, EngineLimits, SequenceId, SequenceRows } from './engine.ts'
import { GRAPH, graphInputs, ROWS_MIN } from './graph-contract.ts'
import { KvPool, kvPoolBytes } from './kv-pool.ts'
import type { KvPoolOptions } from './kv-pool.ts'
import type { LoadedModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import { OnnxGraph, tensor } from './onnx-graph.ts'
import type { Feeds, RuntimeOptions } from './onnx-graph.ts'
import { PastFeeds } from './past-feeds.ts'
import { splitResults } from './results.ts'
import { ScratchBuffer } from './scratch-buffer.ts'
import type { RowResults } from '../decoding/rows.ts'

/**
 * Rows of one sequence in one forward: a prompt chunk of 256 and the groups that may ride with it.
 */
const ROWS_MAX = 512

/** Mask groups of full length in one sequence's forward: verified decoding uses two. */
const GROUPS_MAX = 4

/** Host memory that the caches of all sequences may take together, bytes. */
const KV_BYTES_MAX = 8 * 1024 ** 3

export interface OnnxEngineOptions extends RuntimeOptions {
  readonly sequencesMax: number
}

/** @throws ModelError if the runtime refuses the graph or the caches would not fit KV_BYTES_MAX. */
export async function createOnnxEngine(
  model: LoadedModel,
  options: OnnxEngineOptions,
): Promise<OnnxEngine> {
  const bytes = kvPoolBytes(poolOptions(model.manifest, options.sequencesMax))
  if (bytes > KV_BYTES_MAX) {
    throw new ModelError(
      model.manifest.id,
      `${options.sequencesMax} sequences need ${bytes} bytes of cache, the limit is ${KV_BYTES_MAX}`,
    )
  }
  const graph = await OnnxGraph.load(model.graph, options)
  const inputs = graphInputs(model.manifest.architecture.layers)
  if (inputs.toSorted().join() !== graph.inputNames.toSorted().join()) {
    await graph.dispose()
    throw new ModelError(model.manifest.id, 'its graph has other inputs: build the model again')
  }
  return new OnnxEngine(graph, model.manifest, options.sequencesMax)
}

function poolOptions(manifest: Manifest, sequencesMax: number): KvPoolOptions {
  const { architecture, contextLength, maxBlockLength } = manifest
  const rowsBehind = ROWS_MIN + GROUPS_MAX * maxBlockLength
  return {
    sequencesMax,
    contextLength,
    planes: 2 * architecture.layers,
    rowLength: architecture.keyValueHeads * architecture.headSize,
    planePositions: roundUpKeys(contextLength + rowsBehind),
  }
}

/** What the last forward left for commits. */
interface LastForward {
  /** `new_rows` of the graph, (B, S, rowLength) */
  readonly newRows: Float32Array
  /**
   * Per sequence that has not committed: where its rows start, and how many of them are tail rows.
   */
  readonly open: Map<SequenceId, { firstRow: number; tailRows: number }>
}

/** The engine on ONNX Runtime's CPU provider, cache on the host. */
export class OnnxEngine implements Engine {
  readonly limits: EngineLimits
  readonly #graph: OnnxGraph
  readonly #pool: KvPool
  readonly #pastFeeds: PastFeeds
  readonly #rowLimits: RowLimits
  /** Values per row of `new_rows`: keys and values of every layer. */
  readonly #newRowLength: number
  readonly #ids = new ScratchBuffer((length) => new Int32Array(length))
  readonly #positions = new ScratchBuffer((length) => new BigInt64Array(length))
  readonly #bias = new ScratchBuffer((length) => new Float32Array(length))
  #last: LastForward | undefined
  #state: 'idle' | 'running' | 'disposed' = 'idle'

  constructor(graph: OnnxGraph, manifest: Manifest, sequencesMax: number) {
    const { architecture, contextLength, maxBlockLength } = manifest
    this.limits = { sequencesMax, contextLength, maxBlockLength, rowsMax: ROWS_MAX }
    this.#graph = graph
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

  open(): SequenceId {
    return this.#pool.open()
  }

  close(sequence: SequenceId): void {
    this.#last?.open.delete(sequence)
    this.#pool.close(sequence)
  }

  cachedLength(sequence: SequenceId): number {
    return this.#pool.cachedLength(sequence)
  }

  async forward(batch: readonly SequenceRows[]): Promise<RowResults[]> {
    assert(this.#state === 'idle', `forward while ${this.#state}`)
    const inputs = this.#checkBatch(batch)
    this.#last = undefined
    const shape = forwardShape(inputs)
    const selectors = selectRows(shape, inputs)
    const feeds: Feeds = {
      ...this.#rowFeeds(shape, inputs),
      // The graph needs an entry in each selector; a row nobody asked for is dropped here.
      [GRAPH.logitRows]: indices(selectors.logitRows),
      [GRAPH.entropyRows]: indices(selectors.entropyRows),
      [GRAPH.topRows]: indices(selectors.topRows),
      ...this.#pastFeeds.feeds(
        batch.map(({ sequence }) => sequence),
        shape.keys,
      ),
    }
    this.#state = 'running'
    const outputs = await this.#graph.run(feeds).finally(() => (this.#state = 'idle'))
    const open = new Map<SequenceId, { firstRow: number; tailRows: number }>()
    for (const [index, { sequence, tail }] of batch.entries()) {
      open.set(sequence, { firstRow: index * shape.rows, tailRows: tail.length })
    }
    this.#last = { newRows: outputs[GRAPH.newRows]!.data as Float32Array, open }
    return splitResults(batch, outputs)
  }

  commit(sequence: SequenceId, rows: number): void {
    const last = this.#last
    const pending = last?.open.get(sequence)
    assert(
      last !== undefined && pending !== undefined,
      `sequence ${sequence} has no forward to commit`,
    )
    assert(
      Number.isInteger(rows) && rows >= 0 && rows <= pending.tailRows,
      `commit of ${rows} rows is not within the ${pending.tailRows} tail rows`,
    )
    last.open.delete(sequence)
    const start = pending.firstRow * this.#newRowLength
    this.#pool.append(sequence, last.newRows.subarray(start), rows)
  }

  exportRows(sequence: SequenceId, start: number, rows: number): Float32Array<SharedArrayBuffer> {
    return this.#pool.read(sequence, start, rows)
  }

  importRows(sequence: SequenceId, data: Float32Array, rows: number): void {
    this.#last?.open.delete(sequence)
    this.#pool.append(sequence, data, rows)
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

  #rowFeeds(shape: ForwardShape, inputs: readonly SequenceInput[]): Feeds {
    const { sequences, rows, keys } = shape
    const ids = this.#ids.take(sequences * rows)
    const positions = this.#positions.take(sequences * rows)
    const bias = this.#bias.take(sequences * rows * keys)
    fillTokens({ ids, positions }, shape, inputs)
    fillAttentionBias(bias, shape, inputs)
    return {
      [GRAPH.inputIds]: tensor(ids, [sequences, rows]),
      [GRAPH.positionIds]: tensor(positions, [sequences, rows]),
      [GRAPH.attentionBias]: tensor(bias, [sequences, 1, rows, keys]),
      [GRAPH.writePositions]: tensor(
        BigInt64Array.from(inputs, ({ cachedLength }) => BigInt(cachedLength)),
        [sequences],
      ),
    }
  }
}

function indices(values: readonly number[]) {
  return tensor(Int32Array.from(values.length === 0 ? [0] : values), [Math.max(1, values.length)])
}
