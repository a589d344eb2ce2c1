export interface FloatTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** A safetensors file of float32 tensors. */
export function writeSafetensors(tensors: ReadonlyMap<string, FloatTensor>): Uint8Array {
  const header: Record<string, unknown> = {}
  let offset = 0
  for (const [name, { shape, data }] of tensors) {
    const end = offset + data.byteLength
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] }
    offset = end
  }
  const bytes = assembleSafetensors(header, offset)
  offset = bytes.length - offset
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset)
    offset += data.byteLength
  }
  return bytes
}

/** Any header before `dataLength` zero bytes, for files that are wrong on purpose too. */
export function assembleSafetensors(header: unknown, dataLength: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(8 + json.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}
