import { GRAPH } from './graph-contract.ts'
import { DATA_TYPES, OnnxModel } from '../model-builder/onnx-model.ts'
import type { Value } from '../model-builder/onnx-model.ts'

/**
 * Small graphs over the pools of a device cache: what the model's own graph has no part in. They are
 * made when an engine starts, since they hold no weights.
 *
 * n rows, KV heads of D values, P places; a pool is (KV, P, D).
 */
export interface PoolShape {
  /** Names of the pools: keys and values of every layer. */
  readonly names: readonly string[]
  readonly heads: number
  readonly headSize: number
  /** Of their values; rows that are read or written are float32 all the same. */
  readonly type: 'float32' | 'float16'
}

export const POOL_GRAPH = {
  /** int64 (3): of a pool, or of what is written to one. */
  shape: 'shape',
  /** int32 (1, n, 1) */
  places: 'places',
  /** float (n, pools, KV*D) */
  rows: 'rows',
  empty: 'empty',
} as const

/** `shape` to a pool of zeros. */
export function emptyPoolGraph({ type }: PoolShape): Uint8Array {
  const model = new OnnxModel()
  model.input(POOL_GRAPH.shape, 'int64', [3])
  zeros(model, POOL_GRAPH.empty, type)
  model.output(POOL_GRAPH.empty, type, ['KV', 'P', 'D'])
  return model.serialize().toBytes()
}

/** Zeros of `shape` into the places of every pool, in place. */
export function wipeGraph(pools: PoolShape): Uint8Array {
  const model = new OnnxModel()
  model.input(POOL_GRAPH.shape, 'int64', [3])
  const blank = zeros(model, 'blank', pools.type)
  const index = writeIndex(model, pools)
  for (const name of pools.names) write(model, pools, { name, index, updates: blank })
  return model.serialize().toBytes()
}

/** `rows` into the places of every pool, in place. */
export function writeGraph(pools: PoolShape): Uint8Array {
  const model = new OnnxModel()
  const { names, heads, headSize, type } = pools
  model.input(POOL_GRAPH.rows, 'float32', ['n', names.length, heads * headSize])
  const rows = cast(model, POOL_GRAPH.rows, type)
  const index = writeIndex(model, pools)
  const apart = ints(model, 'apart', [0, heads, headSize])
  for (const [plane, name] of names.entries()) {
    const chosen = model.initializer(`${name}.plane`, {
      type: 'int32',
      shape: [],
      data: Int32Array.of(plane),
    })
    const ofPlane = model.node(`${name}.rows`, 'Gather', [rows, chosen], along(1))
    const split = model.node(`${name}.heads`, 'Reshape', [ofPlane, apart])
    const updates = swapped(model, `${name}.updates`, split)
    write(model, pools, { name, index, updates })
  }
  return model.serialize().toBytes()
}

/** The places of every pool to `rows`, as (n, pools*KV*D). */
export function readGraph(pools: PoolShape): Uint8Array {
  const model = new OnnxModel()
  const { names, heads, headSize, type } = pools
  model.input(POOL_GRAPH.places, 'int32', ['n'])
  const together = ints(model, 'together', [0, heads * headSize])
  const planes = names.map((name) => {
    model.input(name, type, [heads, 'P', headSize])
    const chosen = model.node(`${name}.chosen`, 'Gather', [name, POOL_GRAPH.places], along(1))
    const rowFirst = swapped(model, `${name}.rows`, chosen)
    return model.node(`${name}.joined`, 'Reshape', [rowFirst, together])
  })
  const joined = model.node('joined', 'Concat', planes, along(-1))
  model.node(POOL_GRAPH.rows, 'Cast', [joined], castTo('float32'))
  model.output(POOL_GRAPH.rows, 'float32', ['n', names.length * heads * headSize])
  return model.serialize().toBytes()
}

function write(
  model: OnnxModel,
  { heads, headSize, type }: PoolShape,
  { name, index, updates }: { name: string; index: Value; updates: Value },
): void {
  const updated = GRAPH.updated(name)
  model.input(name, type, [heads, 'P', headSize])
  model.node(updated, 'ScatterElements', [name, index, updates], along(1))
  model.output(updated, type, [heads, 'P', headSize])
}

/** The place of each element that is written: (KV, n, D). */
function writeIndex(model: OnnxModel, { heads, headSize }: PoolShape): Value {
  model.input(POOL_GRAPH.places, 'int32', [1, 'n', 1])
  const everyElement = ints(model, 'every_element', [heads, 1, headSize])
  return model.node('index', 'Expand', [POOL_GRAPH.places, everyElement])
}

function zeros(model: OnnxModel, name: string, type: PoolShape['type']): Value {
  const data = type === 'float32' ? new Float32Array(1) : new Uint16Array(1)
  const zero = model.initializer('zero', { type, shape: [1], data })
  return model.node(name, 'Expand', [zero, POOL_GRAPH.shape])
}

/** (a, b, D) to (b, a, D) */
function swapped(model: OnnxModel, name: string, value: Value): Value {
  return model.node(name, 'Transpose', [value], { attributes: { perm: { ints: [1, 0, 2] } } })
}

function ints(model: OnnxModel, name: string, values: readonly number[]): Value {
  const data = BigInt64Array.from(values, BigInt)
  return model.initializer(name, { type: 'int64', shape: [values.length], data })
}

function cast(model: OnnxModel, value: Value, type: PoolShape['type']): Value {
  if (type === 'float32') return value
  return model.node(`${value}.half`, 'Cast', [value], castTo(type))
}

const castTo = (type: PoolShape['type']) => ({ attributes: { to: { int: DATA_TYPES[type] } } })

const along = (axis: number) => ({ attributes: { axis: { int: axis } } })
