import * as z from 'zod'

import { SAFETENSORS_HEADER_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'

/**
 * Reader of the safetensors format: 8 bytes of header length (u64, little endian), a JSON header `{
 * name: { dtype, shape, data_offsets: [begin, end] } }` with offsets counted from the end of the
 * header, then data. Every offset is checked before any tensor is handed out.
 */

const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2 } as const
export type Dtype = keyof typeof DTYPE_BYTES

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
})
type Entry = z.infer<typeof entrySchema>

export interface Tensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Row-major values, widened to float32. */
  readonly data: Float32Array
}

export interface TensorFile {
  readonly names: readonly string[]
  has(name: string): boolean
  /** Throws a ModelError naming the tensor if it is absent or of an unsupported dtype. */
  read(name: string): Tensor
}

export function parseSafetensors(bytes: Uint8Array, fileName: string): TensorFile {
  const { header, dataStart } = parseHeader(bytes, fileName)
  const data = bytes.subarray(dataStart)
  const entries = new Map<string, Entry>()
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue
    entries.set(name, checkEntry(value, name, data.length))
  }
  checkOverlaps(entries)
  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    read(name) {
      const entry = entries.get(name)
      if (entry === undefined) throw new ModelError(name, `tensor is missing from ${fileName}`)
      const raw = data.subarray(...entry.data_offsets)
      return { name, shape: entry.shape, data: widen(raw, supportedDtype(entry.dtype, name)) }
    },
  }
}

function parseHeader(bytes: Uint8Array, fileName: string) {
  if (bytes.length < 8) throw new ModelError(fileName, 'is too short for a safetensors file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getBigUint64(0, true)
  const limit = Math.min(SAFETENSORS_HEADER_BYTES_MAX, bytes.length - 8)
  if (length > BigInt(limit)) {
    throw new ModelError(fileName, `header length ${length} is over the limit of ${limit} bytes`)
  }
  const dataStart = 8 + Number(length)
  let header: unknown
  try {
    header = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, dataStart)),
    )
  } catch (cause) {
    throw new ModelError(fileName, 'header is not valid JSON', { cause })
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new ModelError(fileName, 'header is not a JSON object')
  }
  return { header, dataStart }
}

function checkEntry(value: unknown, name: string, dataLength: number): Entry {
  const parsed = entrySchema.safeParse(value)
  if (!parsed.success) throw new ModelError(name, 'header entry lacks dtype, shape or data_offsets')
  const entry = parsed.data
  const [begin, end] = entry.data_offsets
  if (begin > end || end > dataLength) {
    throw new ModelError(name, `data_offsets [${begin}, ${end}] leave the ${dataLength} data bytes`)
  }
  if (!(entry.dtype in DTYPE_BYTES)) return entry // refused only if it is read
  const bytes =
    entry.shape.reduce((product, size) => product * size, 1) * DTYPE_BYTES[entry.dtype as Dtype]
  if (bytes !== end - begin) {
    throw new ModelError(
      name,
      `shape [${entry.shape.join(', ')}] of ${entry.dtype} needs ${bytes} bytes, data_offsets span ${end - begin}`,
    )
  }
  return entry
}

function checkOverlaps(entries: ReadonlyMap<string, Entry>): void {
  const ordered = [...entries].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
  let previousEnd = 0
  for (const [name, { data_offsets }] of ordered) {
    if (data_offsets[0] < previousEnd) throw new ModelError(name, 'data overlaps another tensor')
    previousEnd = Math.max(previousEnd, data_offsets[1])
  }
}

function supportedDtype(dtype: string, name: string): Dtype {
  if (dtype in DTYPE_BYTES) return dtype as Dtype
  throw new ModelError(name, `dtype ${dtype} is not supported (F32, F16 and BF16 are)`)
}

/** Little-endian bytes of any alignment to float32 values. */
function widen(raw: Uint8Array, dtype: Dtype): Float32Array {
  const aligned = new Uint8Array(raw) // a copy (Buffer's slice is none): typed views need alignment
  switch (dtype) {
    case 'F32':
      return new Float32Array(aligned.buffer)
    case 'BF16':
      return widenBfloat16(new Uint16Array(aligned.buffer))
    case 'F16':
      return Float32Array.from(new Uint16Array(aligned.buffer), halfToNumber)
  }
}

function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return new Float32Array(bits.buffer)
}

/** IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
