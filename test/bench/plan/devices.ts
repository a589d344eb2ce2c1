/** Precisions of a graph's weights; keys and values are in fp16 with the 16-bit ones, else in fp32. */
export type Precision = 'fp32' | 'fp16' | 'int8' | 'q4f16'

/** What a device can do at best. Dense products: vendors' figures "with sparsity" are twice as high. */
export interface Device {
  readonly name: string
  readonly memoryBytes: number
  readonly bytesPerSecond: number
  /** Multiplications and additions per second, by the type they are made in. */
  readonly operationsPerSecond: Readonly<Record<'fp32' | 'fp16' | 'int8', number>>
  /** Where the figures are from. */
  readonly source: string
}

const GB = 1e9
const TERA = 1e12

const device = (
  name: string,
  [memoryGb, gigabytesPerSecond]: readonly [number, number],
  [fp32, fp16, int8]: readonly [number, number, number],
  source: string,
): Device => ({
  name,
  memoryBytes: memoryGb * GB,
  bytesPerSecond: gigabytesPerSecond * GB,
  operationsPerSecond: { fp32: fp32 * TERA, fp16: fp16 * TERA, int8: int8 * TERA },
  source,
})

/** Vendors' data sheets: none of these figures was measured here. */
export const DEVICES: Readonly<Record<string, Device>> = {
  h100: device('H100 SXM', [80, 3350], [67, 989, 1979], 'NVIDIA H100 Tensor Core GPU data sheet'),
  h200: device('H200 SXM', [141, 4800], [67, 989, 1979], 'NVIDIA H200 Tensor Core GPU data sheet'),
  l4: device('L4', [24, 300], [30.3, 121, 242], 'NVIDIA L4 Tensor Core GPU data sheet'),
  a10: device('A10', [24, 600], [31.2, 125, 250], 'NVIDIA A10 Tensor Core GPU data sheet'),
  l40s: device('L40S', [48, 864], [91.6, 362, 733], 'NVIDIA L40S GPU data sheet'),
  '4090': device(
    'GeForce RTX 4090',
    [24, 1008],
    [82.6, 165.2, 660.6],
    'NVIDIA Ada GPU architecture white paper, products of fp16 summed in fp32',
  ),
}

/** Bytes that one weight takes, its share of the scales too (q4f16: one fp16 scale for 32 weights). */
export const WEIGHT_BYTES: Readonly<Record<Precision, number>> = {
  fp32: 4,
  fp16: 2,
  int8: 1,
  q4f16: 0.5 + 2 / 32,
}

/** Bytes of one number among the cached keys and values. */
export const CACHE_BYTES: Readonly<Record<Precision, number>> = {
  fp32: 4,
  fp16: 2,
  int8: 4,
  q4f16: 2,
}

/** The type in which a precision's products are made. */
export const PRODUCT_TYPE = { fp32: 'fp32', fp16: 'fp16', int8: 'int8', q4f16: 'fp16' } as const
