import type { Manifest } from '@setblock/shared'

import { KV_BYTES_MAX_DEFAULT, sequencesWithin } from './kv-pool.ts'
import type { KvPoolOptions } from './kv-pool.ts'
import { GraphEngine } from './graph-engine.ts'
import { graphInputs } from './graph-contract.ts'
import { HostCache } from './host-cache.ts'
import type { LoadedModel } from './manifest.ts'
import { ModelError } from './model-error.ts'
import type { RuntimeOptions } from './onnx-graph.ts'
import { kvType, poolOptions } from './pool-options.ts'
import { ThreadedGraph } from './threaded-graph.ts'
import type { WideOptions } from './threaded-graph.ts'

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
  const { manifest } = model
  const wanted = poolOptions(manifest, options.sequencesMax, kvType(model.form))
  const sequencesMax = sequencesWithin(wanted, kvBytesMax)
  if (sequencesMax === 0) {
    const reason = `the cache of one sequence does not fit ${kvBytesMax} bytes`
    throw new ModelError(manifest.id, reason)
  }
  const file = model.form.data === undefined ? model.graph : model.path
  const graph = await ThreadedGraph.load(file, options, options)
  const inputs = graphInputs(manifest.architecture.layers, 'host')
  if (inputs.toSorted().join() !== graph.inputNames.toSorted().join()) {
    await graph.dispose()
    throw new ModelError(manifest.id, 'its graph has other inputs: build the model again')
  }
  const engine = new OnnxEngine(graph, manifest, { ...wanted, sequencesMax })
  if (graph.isTunable) await tuneThreads(graph, engine)
  return engine
}

/** The engine whose cache is on the host. */
export class OnnxEngine extends GraphEngine {
  readonly #graph: ThreadedGraph

  constructor(graph: ThreadedGraph, manifest: Manifest, pool: KvPoolOptions) {
    super(new HostCache(graph, pool), manifest, pool.sequencesMax)
    this.#graph = graph
  }

  /** See WideOptions. */
  get wideFromRows(): number {
    return this.#graph.wideFromRows
  }
}

/** Measures from how many rows on several threads pay. */
async function tuneThreads(graph: ThreadedGraph, engine: GraphEngine): Promise<void> {
  const sequence = engine.open()
  try {
    await graph.tune((count) => {
      const length = Math.min(count, engine.limits.contextLength)
      const tail = Array.from({ length }, () => 0)
      const rows = {
        tail,
        groups: [],
        readTail: tail.length,
        entropies: 'none',
        top: 'none',
      } as const
      return engine.forward([{ sequence, ...rows }])
    })
  } finally {
    engine.close(sequence)
  }
}
