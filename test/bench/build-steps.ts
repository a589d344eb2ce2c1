/**
 * One step of `build.ts` in a process of its own, so that its peak of memory is its own too:
 *
 *   build-steps.ts build <checkpoint> <out> <target>
 *   build-steps.ts serve <model> <rows,rows>
 *
 * The only line on standard output is JSON.
 */
import { availableParallelism } from 'node:os'
import { measureForwards } from '../../gpu-worker/bench/measure-forwards.ts'
import type { Engine } from '../../gpu-worker/src/engine/engine.ts'
import { loadModel, weightBytes } from '../../gpu-worker/src/engine/manifest.ts'
import { createOnnxEngine } from '../../gpu-worker/src/engine/onnx-engine.ts'
import { buildModel } from '../../gpu-worker/src/model-builder/build-model.ts'
import { isTarget } from '../../gpu-worker/src/model-builder/targets.ts'

/** Positions cached before a timed forward, timed forwards of each kind, tokens decoded. */
const CACHED = 64
const SAMPLES = 8
const DECODED_TOKENS = 16
const CONTEXT = 1024

async function build(folder: string, out: string, target: string): Promise<object> {
  if (!isTarget(target)) throw new Error(`no target ${target}`)
  const startMs = performance.now()
  const targets = [target]
  const report = await buildModel({ folder, out, targets, source: { contextLength: CONTEXT } })
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage()
  const cpuSeconds = (user + system) / 1e6
  const { checkpointBytes, graphs } = report
  return { seconds, cpuSeconds, checkpointBytes, graphBytes: graphs[0]?.bytes }
}

async function serve(folder: string, rows: readonly number[]): Promise<object> {
  const startMs = performance.now()
  const model = await loadModel(folder, 'int8')
  const checkedMs = performance.now()
  const threads = availableParallelism()
  const engine = await createOnnxEngine(model, { threads, spinning: false, sequencesMax: 1 })
  const loadedMs = performance.now()
  const { vocabularySize } = model.manifest.architecture
  const shapes = rows.map((count) => ({ streams: 1, rows: count }))
  const options = { cached: CACHED, samples: SAMPLES, vocabularySize }
  const times = await measureForwards(engine, shapes, options)
  const decoded = await decode(engine)
  await engine.dispose()
  return {
    threads,
    graphBytes: weightBytes(model),
    digestSeconds: (checkedMs - startMs) / 1000,
    loadSeconds: (loadedMs - checkedMs) / 1000,
    forwards: shapes.map((shape, i) => ({ rows: shape.rows, ms: times[i] })),
    ...decoded,
  }
}

/** Greedy next-token decoding, one forward a token. */
async function decode(engine: Engine): Promise<{ tokens: number[]; tokensPerSecond: number }> {
  const sequence = engine.open()
  const tokens: number[] = []
  let token = 11
  const startMs = performance.now()
  for (let i = 0; i < DECODED_TOKENS; i++) {
    const rows = { tail: [token], groups: [], readTail: 1, entropies: 'none', top: 'none' } as const
    const [results] = await engine.forward([{ sequence, ...rows }])
    engine.commit(sequence, 1)
    token = results?.ids[0] ?? -1
    tokens.push(token)
  }
  const seconds = (performance.now() - startMs) / 1000
  engine.close(sequence)
  return { tokens, tokensPerSecond: DECODED_TOKENS / seconds }
}

const [step, ...args] = process.argv.slice(2)
const [first = '', second = '', third = ''] = args
const result =
  step === 'build'
    ? await build(first, second, third)
    : await serve(first, second.split(',').map(Number))
// The system counts kilobytes; pages of mapped files are among them.
const peakRssBytes = process.resourceUsage().maxRSS * 1024
process.stdout.write(`${JSON.stringify({ ...result, peakRssBytes })}\n`)
