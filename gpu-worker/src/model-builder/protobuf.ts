/**
 * Writer for the protobuf wire format, as far as ONNX needs it: varints, floats and
 * length-delimited fields. Ours, because eight message types do not carry a dependency and its
 * generated code, and because a library would first copy the weights into a message and then into
 * its bytes. Large weights never come here at all: they lie in a file of their own.
 *
 * A message is a list of chunks, joined only when it reaches the file: weights are never copied.
 */

const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED32 = 5

export class ProtobufMessage {
  readonly chunks: Uint8Array[] = []
  byteLength = 0

  /** int32, int64, uint64, bool or enum; a negative value takes ten bytes, as protobuf wants. */
  integer(field: number, value: number | bigint): this {
    this.#tag(field, VARINT)
    this.#push(varint(BigInt.asUintN(64, BigInt(value))))
    return this
  }

  float(field: number, value: number): this {
    this.#tag(field, FIXED32)
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.#push(bytes)
    return this
  }

  /** The bytes are referenced, not copied: do not change them afterwards. */
  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, LENGTH_DELIMITED)
    this.#push(varint(BigInt(value.length)))
    this.#push(value)
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value))
  }

  message(field: number, value: ProtobufMessage): this {
    this.#tag(field, LENGTH_DELIMITED)
    this.#push(varint(BigInt(value.byteLength)))
    for (const chunk of value.chunks) this.#push(chunk)
    return this
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.byteLength)
    let offset = 0
    for (const chunk of this.chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    return bytes
  }

  #tag(field: number, wireType: number): void {
    this.#push(varint(BigInt((field << 3) | wireType)))
  }

  #push(bytes: Uint8Array): void {
    this.chunks.push(bytes)
    this.byteLength += bytes.length
  }
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}
