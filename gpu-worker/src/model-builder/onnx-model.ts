import { ProtobufMessage } from './protobuf.ts'

/**
 * An ONNX graph under construction. Numbers in `integer(1, ...)` and the like are the field numbers
 * of `onnx.proto` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto,
 * TypeProto).
 */

/** TensorProto.DataType */
export const DATA_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const
export type DataType = keyof typeof DATA_TYPES

/** AttributeProto.AttributeType */
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, tensor: 4, ints: 7 } as const

/** A fixed size, or the name of one that a run decides. */
export type Dimension = number | string

export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly tensor: { type: DataType; shape: readonly number[]; data: ArrayBufferView } }

export interface NodeOptions {
  /** Operator set; the standard one if absent. */
  readonly domain?: string
  readonly attributes?: Readonly<Record<string, Attribute>>
}

/** Name of a value flowing between nodes. */
export type Value = string

/** Opset 24 has Attention, TensorScatter and blocked QuantizeLinear; IR 12 came with it. */
const OPSET = 24
const IR_VERSION = 12
export const MICROSOFT = 'com.microsoft'

export class OnnxModel {
  readonly #nodes: ProtobufMessage[] = []
  readonly #initializers = new Map<string, ProtobufMessage>()
  readonly #inputs: ProtobufMessage[] = []
  readonly #outputs: ProtobufMessage[] = []

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
  initializer(
    name: string,
    tensor: { type: DataType; shape: readonly number[]; data: ArrayBufferView },
  ): Value {
    if (!this.#initializers.has(name)) {
      this.#initializers.set(name, tensorProto(name, tensor.type, tensor.shape, tensor.data))
    }
    return name
  }

  input(name: string, type: DataType, shape: readonly Dimension[]): Value {
    this.#inputs.push(valueInfoProto(name, type, shape))
    return name
  }

  output(name: string, type: DataType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfoProto(name, type, shape))
  }

  /** The file's bytes in pieces, in order; `byteLength` is their sum. */
  serialize(): ProtobufMessage {
    const graph = new ProtobufMessage()
    for (const node of this.#nodes) graph.message(1, node)
    graph.string(2, 'setblock')
    for (const initializer of this.#initializers.values()) graph.message(5, initializer)
    for (const input of this.#inputs) graph.message(11, input)
    for (const output of this.#outputs) graph.message(12, output)
    const opset = (domain: string, version: number) =>
      new ProtobufMessage().string(1, domain).integer(2, version)
    return new ProtobufMessage()
      .integer(1, IR_VERSION)
      .string(2, 'setblock')
      .message(7, graph)
      .message(8, opset('', OPSET))
      .message(8, opset(MICROSOFT, 1))
  }
}

function tensorProto(
  name: string,
  type: DataType,
  shape: readonly number[],
  data: ArrayBufferView,
): ProtobufMessage {
  const message = new ProtobufMessage()
  for (const size of shape) message.integer(1, size)
  message.integer(2, DATA_TYPES[type])
  if (name !== '') message.string(8, name)
  return message.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
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
    const { type, shape, data } = attribute.tensor
    return message
      .message(5, tensorProto('', type, shape, data))
      .integer(20, ATTRIBUTE_TYPES.tensor)
  }
  for (const value of attribute.ints) message.integer(8, value)
  return message.integer(20, ATTRIBUTE_TYPES.ints)
}
