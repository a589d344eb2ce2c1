import { open } from 'node:fs/promises'

/** Writer of the GGUF format, version 3: header, key-value pairs, tensor table, aligned data. */

const MAGIC = 0x46554747 // 'GGUF', little endian
const VERSION = 3
const ALIGNMENT_BYTES = 32

/** gguf_metadata_value_type */
const VALUE_TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const

export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }

export interface GgufTensor {
  readonly name: string
  /** Fastest dimension first: the reverse of a row-major shape. */
  readonly dimensions: readonly number[]
  /** ggml_type */
  readonly type: number
  readonly data: Uint8Array
}

export async function writeGguf(
  path: string,
  facts: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<void> {
  const head = new ByteWriter()
  head.u32(MAGIC).u32(VERSION).u64(tensors.length).u64(Object.keys(facts).length)
  for (const [key, value] of Object.entries(facts)) writeFact(head, key, value)
  let offset = 0
  for (const { name, dimensions, type, data } of tensors) {
    head.string(name).u32(dimensions.length)
    for (const size of dimensions) head.u64(size)
    head.u32(type).u64(offset)
    offset += data.byteLength + padding(data.byteLength)
  }
  const file = await open(path, 'w')
  try {
    await file.writeFile(head.bytes())
    await file.writeFile(new Uint8Array(padding(head.length)))
    for (const { data } of tensors) {
      await file.writeFile(data)
      await file.writeFile(new Uint8Array(padding(data.byteLength)))
    }
  } finally {
    await file.close()
  }
}

function padding(length: number): number {
  return (ALIGNMENT_BYTES - (length % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES
}

function writeFact(out: ByteWriter, key: string, value: GgufValue): void {
  out.string(key)
  if ('u32' in value) out.u32(VALUE_TYPES.u32).u32(value.u32)
  else if ('f32' in value) out.u32(VALUE_TYPES.f32).f32(value.f32)
  else if ('bool' in value) out.u32(VALUE_TYPES.bool).u8(value.bool ? 1 : 0)
  else if ('string' in value) out.u32(VALUE_TYPES.string).string(value.string)
  else if ('strings' in value) {
    out.u32(VALUE_TYPES.array).u32(VALUE_TYPES.string).u64(value.strings.length)
    for (const item of value.strings) out.string(item)
  } else {
    out.u32(VALUE_TYPES.array).u32(VALUE_TYPES.i32).u64(value.i32s.length)
    for (const item of value.i32s) out.u32(item)
  }
}

class ByteWriter {
  readonly #chunks: Buffer[] = []
  length = 0

  u8(value: number): this {
    return this.#push(Buffer.of(value))
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return this.#push(bytes)
  }

  u64(value: number): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return this.#push(bytes)
  }

  f32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    return this.#push(bytes)
  }

  string(value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    return this.u64(bytes.length).#push(bytes)
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  #push(bytes: Buffer): this {
    this.#chunks.push(bytes)
    this.length += bytes.length
    return this
  }
}
