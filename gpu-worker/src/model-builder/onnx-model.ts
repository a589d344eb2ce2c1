import { ProtobufMessage } from './protobuf.ts'

/**
 * An ONNX graph under construction. Numbers in `integer(1, ...)` and the like are the field numbers
 * of `onnx.proto` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto,
 * TypeProto).
 */

/** TensorProto.DataType */
export const DATA_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  float16: 10,
  bfloat16: 16,
} as const
export type DataType = keyof typeof DATA_TYPES

const TYPE_BYTES: Readonly<Record<DataType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  float16: 2,
  bfloat16: 2,
}

/** AttributeProto.AttributeType */
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const

/** A fixed size, or the name of one that a run decides. */
export type Dimension = number | string

export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly tensor: Tensor }

export interface NodeOptions {
  /** Operator set; the standard one if absent. */
  readonly domain?: string
  readonly attributes?: Readonly<Record<string, Attribute>>
}

/** Name of a value flowing between nodes. */
export type Value = string

export interface Tensor {
  readonly type: DataType
  readonly shape: readonly number[]
  readonly data: ArrayBufferView
}

/** Constants of one origin, made together when the file is written. */
export interface WeightSource {
  /** For messages. */
  readonly name: string
  /** The bytes of each of its tensors, by their `index`. May be called again. */
  produce(this: void): Promise<readonly ArrayBufferView[]>
}

/** A constant whose bytes do not exist yet. */
export interface LazyTensor {
  readonly type: DataType
  readonly shape: readonly number[]
  readonly source: WeightSource
  readonly index: number
}

export function tensorBytes({ type, shape }: Pick<Tensor, 'type' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, TYPE_BYTES[type])
}

/** Where a constant lies outside of the graph file, in bytes. */
export interface ExternalPlace {
  /** A file of the graph's own folder. */
  readonly file: string
  readonly offset: number
  readonly bytes: number
}

/** Opset 24 has Attention, TensorScatter and blocked QuantizeLinear; IR 12 came with it. */
const OPSET = 24
const IR_VERSION = 12
export const MICROSOFT = 'com.microsoft'

export class OnnxModel {
  readonly #nodes: ProtobufMessage[] = []
  readonly #initializers = new Map<string, Tensor | LazyTensor>()
  readonly #inputs: ProtobufMessage[] = []
  readonly #outputs: ProtobufMessage[] = []
  readonly #opset: number

  constructor({ opset = OPSET }: { opset?: number } = {}) {
    this.#opset = opset
  }

  get nodeCount(): number {
    return this.#nodes.length
  }

  /** Adds a node with one output, named after the node; returns that name. */
  node(name: string, op: string, inputs: readonly Value[], options: NodeOptions = {}): Value {
    this.multiNode({ name, op, inputs, outputs: [name] }, options)
    return name
  }

  /** Adds a node with any outputs; an empty name leaves an optional input or output out. */
  multiNode(
    node: { name: string; op: string; inputs: readonly Value[]; outputs: readonly Value[] },
    options: NodeOptions = {},
  ): void {
    const message = new ProtobufMessage()
    for (const input of node.inputs) message.string(1, input)
    for (const output of node.outputs) message.string(2, output)
    message.string(3, node.name).string(4, node.op)
    for (const [key, value] of Object.entries(options.attributes ?? {})) {
      message.message(5, attributeProto(key, value))
    }
    if (options.domain !== undefined) message.string(7, options.domain)
    this.#nodes.push(message)
  }

  /** Adds a constant; the same name may be given again and is then the same constant. */
  initializer(name: string, tensor: Tensor | LazyTensor): Value {
    if (!this.#initializers.has(name)) this.#initializers.set(name, tensor)
    return name
  }

  /** The constants that `serialize` must be given, in the order of the graph. */
  get lazyTensors(): ReadonlyMap<string, LazyTensor> {
    const lazy = new Map<string, LazyTensor>()
    for (const [name, tensor] of this.#initializers) if ('source' in tensor) lazy.set(name, tensor)
    return lazy
  }

  input(name: string, type: DataType, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfoProto(name, type, shape))
    return name
  }

  output(name: string, type: DataType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfoProto(name, type, shape))
  }

  /**
   * The file's bytes in pieces, in order; `byteLength` is their sum. `weights` gives each lazy
   * constant's bytes, or its place in another file.
   */
  serialize(
    weights: ReadonlyMap<string, ArrayBufferView | ExternalPlace> = new Map(),
  ): ProtobufMessage {
    const graph = new ProtobufMessage()
    for (const node of this.#nodes) graph.message(1, node)
    graph.string(2, 'setblock')
    for (const [name, tensor] of this.#initializers) {
      const data = 'data' in tensor ? tensor.data : weights.get(name)
      if (data === undefined) throw new Error(`the bytes of ${name} are missing`)
      graph.message(5, tensorProto(name, tensor, data))
    }
    for (const input of this.#inputs) graph.message(11, input)
    for (const output of this.#outputs) graph.message(12, output)
    const opset = (domain: string, version: number) =>
      new ProtobufMessage().string(1, domain).integer(2, version)
    return new ProtobufMessage()
      .integer(1, IR_VERSION)
      .string(2, 'setblock')
      .message(7, graph)
      .message(8, opset('', this.#opset))
      .message(8, opset(MICROSOFT, 1))
  }
}

/** TensorProto.DataLocation */
const EXTERNAL = 1

function tensorProto(
  name: string,
  { type, shape }: Pick<Tensor, 'type' | 'shape'>,
  data: ArrayBufferView | ExternalPlace,
): ProtobufMessage {
  const message = new ProtobufMessage()
  for (const size of shape) message.integer(1, size)
  message.integer(2, DATA_TYPES[type])
  if (name !== '') message.string(8, name)
  if (ArrayBuffer.isView(data)) {
    return message.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  const facts = { location: data.file, offset: String(data.offset), length: String(data.bytes) }
  for (const [key, value] of Object.entries(facts)) {
    message.message(13, new ProtobufMessage().string(1, key).string(2, value))
  }
  return message.integer(14, EXTERNAL)
}

function valueInfoProto(
  name: string,
  type: DataType,
  shape: readonly Dimension[],
): ProtobufMessage {
  const dimensions = new ProtobufMessage()
  for (const size of shape) {
    const dimension = new ProtobufMessage()
    if (typeof size === 'number') dimension.integer(1, size)
    else dimension.string(2, size)
    dimensions.message(1, dimension)
  }
  const tensorType = new ProtobufMessage().integer(1, DATA_TYPES[type]).message(2, dimensions)
  return new ProtobufMessage()
    .string(1, name)
    .message(2, new ProtobufMessage().message(1, tensorType))
}

function attributeProto(name: string, attribute: Attribute): ProtobufMessage {
  const message = new ProtobufMessage().string(1, name)
  if ('float' in attribute) {
    return message.float(2, attribute.float).integer(20, ATTRIBUTE_TYPES.float)
  }
  if ('int' in attribute) return message.integer(3, attribute.int).integer(20, ATTRIBUTE_TYPES.int)
  if ('string' in attribute) {
    return message.string(4, attribute.string).integer(20, ATTRIBUTE_TYPES.string)
  }
  if ('tensor' in attribute) {
    const { tensor } = attribute
    return message
      .message(5, tensorProto('', tensor, tensor.data))
      .integer(20, ATTRIBUTE_TYPES.tensor)
  }
  for (const value of attribute.ints) message.integer(8, value)
  return message.integer(20, ATTRIBUTE_TYPES.ints)
}
