import { OnnxGraph, tensor } from '../../gpu-worker/src/engine/onnx-graph.ts'
import { OnnxModel } from '../../gpu-worker/src/model-builder/onnx-model.ts'
import { median } from './statistics.ts'

/** What this machine can do at best, by simple measures of its own. */
export interface MachinePeaks {
  /** Bytes per second read from a working set of the model's size (in cache, if it fits one), by one thread. */
  readonly bytesPerSecond: number
  /** Multiplications and additions of int8 per second, in one large product with the engine's threads. */
  readonly operationsPerSecond: number
}

const SAMPLES = 15

/** Large enough to amortise everything but arithmetic. */
const PRODUCT = { rows: 512, inputs: 2048, outputs: 2048 } as const

export async function measurePeaks(options: {
  workingSetBytes: number
  threads: number
}): Promise<MachinePeaks> {
  return {
    bytesPerSecond: readRate(options.workingSetBytes),
    operationsPerSecond: await productRate(options.threads),
  }
}

/** Comparing two equal halves reads all of both and writes nothing. */
function readRate(workingSetBytes: number): number {
  const half = Buffer.alloc(Math.ceil(workingSetBytes / 2), 1)
  const other = Buffer.alloc(half.length, 1)
  const times: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    const startMs = performance.now()
    if (!half.equals(other)) throw new Error('equal buffers differ')
    times.push(performance.now() - startMs)
  }
  return (2000 * half.length) / median(times)
}

async function productRate(threads: number): Promise<number> {
  const { rows, inputs, outputs } = PRODUCT
  const graph = await OnnxGraph.load(productGraph(), { threads, spinning: false })
  const feeds = { x: tensor(new Float32Array(rows * inputs).fill(0.5), [rows, inputs]) }
  const times: number[] = []
  for (let sample = -2; sample < SAMPLES; sample++) {
    const startMs = performance.now()
    await graph.run(feeds, ['y'])
    if (sample >= 0) times.push(performance.now() - startMs)
  }
  await graph.dispose()
  return (2000 * rows * inputs * outputs) / median(times)
}

/** One quantised matrix product; only a sum leaves the graph, so that copying its result costs nothing. */
function productGraph(): Uint8Array {
  const { rows, inputs, outputs } = PRODUCT
  const model = new OnnxModel()
  const x = model.input('x', 'float32', [rows, inputs])
  const scale = model.initializer('scale', {
    type: 'float32',
    shape: [],
    data: Float32Array.of(0.01),
  })
  const zero = model.initializer('zero', { type: 'uint8', shape: [], data: Uint8Array.of(128) })
  const data = new Int8Array(inputs * outputs).map((_, index) => (index % 255) - 127)
  const weight = model.initializer('weight', { type: 'int8', shape: [inputs, outputs], data })
  const quantised = model.node('quantised', 'QuantizeLinear', [x, scale, zero])
  const product = model.node('product', 'MatMulInteger', [quantised, weight, zero])
  model.node('y', 'ReduceMax', [product], { attributes: { keepdims: { int: 0 } } })
  model.output('y', 'int32', [])
  return model.serialize().toBytes()
}
