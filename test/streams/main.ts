/**
 * `npm run test:streams`: many clients at once that read slowly, against the edge on Node, or with
 * `--edge wrangler` in the Workers runtime. First with the real worker and model: all of every
 * stream must arrive. Then, on Node, with readers that stop until the edge gives them up: each must
 * be told so, and the edge's memory must stay bounded.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import { startStack } from '../../scripts/start/stack.ts'
import { bundledModel, provenance } from '../eval/provenance.ts'
import { findEdge, peakMemoryMb } from './memory.ts'
import { slowReaders } from './slow-readers.ts'
import { stuckReaders } from './stuck-readers.ts'

const { values } = commandLine({
  options: {
    streams: { type: 'string', default: '200' },
    edge: { type: 'string', default: 'node' },
    stuck: { type: 'string', default: '20' },
    'max-tokens': { type: 'string', default: '150' },
    'rest-ms': { type: 'string', default: '3000' },
  },
})
const count = Number(values.streams)
const restMs = Number(values['rest-ms'])
const print = (text: string): void => void process.stdout.write(`${text}\n`)

// All streams run at once, so the worker has to admit them all; it inherits this.
process.env.SETBLOCK_QUEUE_MAX ??= String(2 * count)
process.env.SETBLOCK_QUEUE_WAIT_MS ??= '600000'
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-streams-'))
try {
  const stack = await startStack(
    {
      edge: values.edge === 'wrangler' ? 'wrangler' : 'node',
      host: '127.0.0.1',
      port: 0,
      workerPort: 0,
      modelFolders: [bundledModel],
      stateFolder: path.join(folder, 'state'),
    },
    new AbortController().signal,
  )
  // Of the Workers runtime there is more than one process, so its memory is not told.
  const pid = findEdge(new URL(stack.edgeUrl).port)
  const idleMb = pid === undefined ? null : peakMemoryMb(pid)
  const startedAt = performance.now()
  const maxTokens = Number(values['max-tokens'])
  const slow = await slowReaders(stack, { count, maxTokens, restMs })
  const seconds = (performance.now() - startedAt) / 1000
  const peakMb = pid === undefined ? null : peakMemoryMb(pid)
  await stack.stop()

  print(`slow readers: ${slow.streams} streams, ${slow.events} events, ${slow.bytes} bytes`)
  print(`  told ${slow.refusals} times to come again before they began`)
  print(`  broken ${slow.broken}, wrong text ${slow.wrongText}, unfinished ${slow.unfinished}`)
  print(`  ${seconds.toFixed(1)} s; edge's memory ${idleMb} MiB idle, ${peakMb} MiB at most`)

  const stuck = await stuckReaders(folder, Number(values.stuck))
  print(`stuck readers: ${stuck.streams} streams, ${stuck.offeredMb} MiB offered`)
  print(`  cut by reader_too_slow ${stuck.cut}, broken ${stuck.broken}`)
  print(`  edge's memory ${stuck.peakRssMb} MiB at most`)

  const clean = slow.broken + slow.wrongText + slow.unfinished + stuck.broken === 0
  const passed = clean && stuck.cut === stuck.streams
  const memory = { idleMb, peakMb }
  print(JSON.stringify({ passed, slow: { ...slow, seconds, ...memory }, stuck, ...provenance() }))
  process.exitCode = passed ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
