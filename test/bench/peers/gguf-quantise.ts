import { numberToHalf } from './half.ts'

/** Row formats of ggml that the comparison uses; numbers are ggml_type. */
export const GGML_TYPES = { f32: 0, f16: 1, q4_0: 2, q8_0: 8 } as const
export type GgmlType = keyof typeof GGML_TYPES

/** Values that share a scale. */
const BLOCK = 32

export function encodeTensor(values: Float32Array, type: GgmlType): Uint8Array {
  switch (type) {
    case 'f32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    case 'f16':
      return new Uint8Array(Uint16Array.from(values, numberToHalf).buffer)
    case 'q8_0':
      return encodeBlocks(values, 2 + BLOCK, writeQ8)
    case 'q4_0':
      return encodeBlocks(values, 2 + BLOCK / 2, writeQ4)
  }
}

type WriteBlock = (block: Float32Array, out: DataView) => void

function encodeBlocks(values: Float32Array, blockBytes: number, write: WriteBlock): Uint8Array {
  const blocks = values.length / BLOCK
  if (!Number.isInteger(blocks)) throw new Error(`${values.length} values are no whole blocks`)
  const bytes = new Uint8Array(blocks * blockBytes)
  for (let block = 0; block < blocks; block++) {
    const out = new DataView(bytes.buffer, block * blockBytes, blockBytes)
    write(values.subarray(block * BLOCK, (block + 1) * BLOCK), out)
  }
  return bytes
}

/** Half scale d, then 32 int8 q: value = d * q. */
function writeQ8(block: Float32Array, out: DataView): void {
  let largest = 0
  for (const value of block) largest = Math.max(largest, Math.abs(value))
  const scale = largest / 127
  out.setUint16(0, numberToHalf(scale), true)
  for (let i = 0; i < BLOCK; i++) {
    out.setInt8(2 + i, scale === 0 ? 0 : Math.round((block[i] as number) / scale))
  }
}

/** Half scale d, then 16 bytes of two nibbles, halves of the block: value = d * (q - 8). */
function writeQ4(block: Float32Array, out: DataView): void {
  let extreme = 0
  for (const value of block) if (Math.abs(value) > Math.abs(extreme)) extreme = value
  const scale = extreme / -8
  out.setUint16(0, numberToHalf(scale), true)
  const nibble = (i: number): number =>
    scale === 0 ? 8 : Math.min(15, Math.floor((block[i] as number) / scale + 8.5))
  for (let i = 0; i < BLOCK / 2; i++) out.setUint8(2 + i, nibble(i) | (nibble(i + BLOCK / 2) << 4))
}
