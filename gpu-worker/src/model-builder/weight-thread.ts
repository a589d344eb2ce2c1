/** The thread that WeightThreads starts: told the index of a source, it answers with its weights. */
import { on } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'

import { buildGraph } from './build-graph.ts'
import { openCheckpoint } from './checkpoint.ts'
import { layOut } from './data-layout.ts'
import { ModelError } from '../engine/model-error.ts'
import type { ThreadReply, WeightPlan } from './weight-threads.ts'

const port = parentPort!
const { folder, source, form } = workerData as WeightPlan
const checkpoint = await openCheckpoint(folder, source)
const sources = layOut(buildGraph(checkpoint, form).lazyTensors)

async function answer(index: number): Promise<ThreadReply> {
  try {
    return { made: await sources[index]!.source.produce() }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    return { refused: { subject: error.subject, problem: error.problem } }
  }
}

for await (const [index] of on(port, 'message') as AsyncIterable<[number]>) {
  const reply = await answer(index)
  const buffers = 'made' in reply ? reply.made.map(({ buffer }) => buffer as ArrayBuffer) : []
  port.postMessage(reply, buffers)
}
