import * as z from 'zod'

import { dtypeBytes, DTYPES } from './float-formats.ts'
import type { Dtype } from './float-formats.ts'
import { SAFETENSORS_HEADER_BYTES_MAX } from './limits.ts'
import { ModelError } from '../engine/model-error.ts'

/**
 * Reader of the safetensors format's header: 8 bytes of header length (u64, little endian), a JSON
 * header `{ name: { dtype, shape, data_offsets: [begin, end] } }` with offsets counted from the end
 * of the header, then data. Every offset is checked before any tensor is handed out.
 */

/** Bytes before the JSON header. */
export const LENGTH_BYTES = 8

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
})

/** Where a tensor lies. */
export interface StoredTensor {
  readonly name: string
  /** One of DTYPES, or something this builder refuses to read. */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Byte offsets in the file. */
  readonly begin: number
  readonly end: number
}

export interface FileFacts {
  readonly file: string
  readonly bytes: number
}

/** Length of the JSON header. @throws ModelError if it cannot be right. */
export function headerLength(start: Uint8Array, { file, bytes }: FileFacts): number {
  if (start.length < LENGTH_BYTES) {
    throw new ModelError(file, 'is too short for a safetensors file')
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  const length = view.getBigUint64(0, true)
  const limit = Math.min(SAFETENSORS_HEADER_BYTES_MAX, bytes - LENGTH_BYTES)
  if (length > BigInt(limit)) {
    throw new ModelError(file, `header length ${length} is over the limit of ${limit} bytes`)
  }
  return Number(length)
}

/** The tensors of a file by name. @throws ModelError naming the file or the tensor. */
export function parseHeader(header: Uint8Array, facts: FileFacts): Map<string, StoredTensor> {
  const json = parseJson(header, facts.file)
  const dataStart = LENGTH_BYTES + header.length
  const tensors = new Map<string, StoredTensor>()
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') continue
    tensors.set(name, checkEntry(value, name, { dataStart, facts }))
  }
  checkOverlaps(tensors)
  return tensors
}

function parseJson(header: Uint8Array, file: string): object {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header))
  } catch (cause) {
    throw new ModelError(file, 'header is not valid JSON', { cause })
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ModelError(file, 'header is not a JSON object')
  }
  return json
}

function checkEntry(
  value: unknown,
  name: string,
  { dataStart, facts }: { dataStart: number; facts: FileFacts },
): StoredTensor {
  const parsed = entrySchema.safeParse(value)
  if (!parsed.success) throw new ModelError(name, 'header entry lacks dtype, shape or data_offsets')
  const { dtype, shape, data_offsets } = parsed.data
  const [begin, end] = data_offsets
  const dataBytes = facts.bytes - dataStart
  if (begin > end || end > dataBytes) {
    const problem = `data_offsets [${begin}, ${end}] leave the ${dataBytes} data bytes`
    throw new ModelError(name, `${problem} of ${facts.file}: is the file cut short?`)
  }
  if (isDtype(dtype)) {
    const bytes = shape.reduce((product, size) => product * size, 1) * dtypeBytes(dtype)
    if (bytes !== end - begin) {
      throw new ModelError(
        name,
        `shape [${shape.join(', ')}] of ${dtype} needs ${bytes} bytes, data_offsets span ${end - begin}`,
      )
    }
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

export function isDtype(dtype: string): dtype is Dtype {
  return DTYPES.includes(dtype as Dtype)
}

function checkOverlaps(tensors: ReadonlyMap<string, StoredTensor>): void {
  let previousEnd = 0
  for (const { name, begin, end } of [...tensors.values()].sort((a, b) => a.begin - b.begin)) {
    if (begin < previousEnd) throw new ModelError(name, 'data overlaps another tensor')
    previousEnd = Math.max(previousEnd, end)
  }
}
