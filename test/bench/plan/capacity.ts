/**
 * What a device can serve of a model, by the roofline: a forward takes as long as reading its bytes
 * or doing its operations, whichever is longer. Everything here is computed; nothing is measured.
 */
import type { Architecture } from '@setblock/shared'
import { speedupOf } from '../cost-model.ts'
import { matrixParameters } from '../row-bound.ts'
import { CACHE_BYTES, PRODUCT_TYPE, WEIGHT_BYTES, type Device, type Precision } from './devices.ts'

export interface Deployment {
  readonly device: Device
  readonly architecture: Architecture
  readonly precision: Precision
  /** Share of the roofline that forwards reach: an assumption until it is measured. */
  readonly efficiency: number
  /** Share of the device's memory for weights, keys and values; the rest is for activations. */
  readonly memoryShare: number
}

export interface Load {
  readonly requestsPerSecond: number
  readonly tokensIn: number
  readonly tokensOut: number
}

/** A decoder as the planner sees it. A block decoder begins each block with a forward of twice its rows. */
export interface Decoder {
  readonly mode: 'ntp' | 'verified' | 'sbd'
  readonly blockLength: number
  readonly tokensPerForward: number
  /** Of one stream, on average. */
  readonly rowsPerForward: number
}

/** Bytes of the weights in memory: the embedding is one matrix with the head, or one more. */
export function weightBytes({ architecture, precision }: Deployment): number {
  const { tiedEmbeddings, vocabularySize, hiddenSize } = architecture
  const embedding = tiedEmbeddings ? 0 : vocabularySize * hiddenSize
  return (matrixParameters(architecture) + embedding) * WEIGHT_BYTES[precision]
}

/** Bytes of keys and values that one token of one stream takes. */
export function cacheBytesPerToken({ architecture, precision }: Deployment): number {
  const { layers, keyValueHeads, headSize } = architecture
  return 2 * layers * keyValueHeads * headSize * CACHE_BYTES[precision]
}

export interface Forward {
  readonly streams: number
  /** Of each stream. */
  readonly rows: number
  /** Cached positions of each stream. */
  readonly cached: number
}

/** Seconds of one forward on the roofline, before the share of it that is reached. */
export function forwardSeconds(deployment: Deployment, forward: Forward): number {
  const { device, architecture, precision } = deployment
  const { streams, rows, cached } = forward
  const { layers, heads, headSize } = architecture
  const parameters = matrixParameters(architecture)
  const bytes =
    parameters * WEIGHT_BYTES[precision] + streams * cached * cacheBytesPerToken(deployment)
  const attention = 4 * layers * heads * headSize * (cached + rows)
  const operations = streams * rows * (2 * parameters + attention)
  const peak = device.operationsPerSecond[PRODUCT_TYPE[precision]]
  return Math.max(bytes / device.bytesPerSecond, operations / peak)
}

/** Streams whose keys and values fit beside the weights, each at its full length; below 0: the weights do not fit. */
export function streamsThatFit(deployment: Deployment, load: Load): number {
  const { device, memoryShare } = deployment
  const room = device.memoryBytes * memoryShare - weightBytes(deployment)
  const perStream = (load.tokensIn + load.tokensOut) * cacheBytesPerToken(deployment)
  return Math.floor(room / perStream)
}

/** Seconds of decoding that bring one token to each of `streams` streams. */
export function secondsPerToken(
  deployment: Deployment,
  decoder: Decoder,
  { streams, cached }: { streams: number; cached: number },
): number {
  const { mode, blockLength, tokensPerForward, rowsPerForward } = decoder
  const time = (rows: number) =>
    forwardSeconds(deployment, { streams, rows, cached }) / deployment.efficiency
  // The worker shortens drafts that are not worth their rows, down to none.
  if (mode !== 'sbd') return Math.min(time(rowsPerForward) / tokensPerForward, time(1))
  // Eq. 16 of arXiv 2509.04185: t(2k) for a block's first forward, t(k) for each further one.
  const forwardsPerBlock = blockLength / tokensPerForward
  return (time(2 * blockLength) + (forwardsPerBlock - 1) * time(blockLength)) / blockLength
}

/** Eq. 16: a block decoder's speed-up over one token a forward, with this many streams. */
export function equation16(
  deployment: Deployment,
  { blockLength, tokensPerForward }: Decoder,
  { streams, cached }: { streams: number; cached: number },
): number {
  const time = (rows: number): [number, number] => [
    rows,
    forwardSeconds(deployment, { streams, rows, cached }),
  ]
  const curve = new Map([time(1), time(blockLength), time(2 * blockLength)])
  return speedupOf(
    { ntp: curve, own: curve },
    { blockLength, forwardsPerBlock: blockLength / tokensPerForward },
  )
}

export interface Point {
  readonly streams: number
  /** Of the device for one request, with its share of the forwards it has with others. */
  readonly deviceSecondsPerRequest: number
  readonly requestsPerSecond: number
  readonly tokensPerSecond: number
  /** Of one stream while it decodes, prompts of others in between. */
  readonly streamTokensPerSecond: number
  /** From admission to the last token. */
  readonly secondsInSlot: number
  readonly prefillSeconds: number
}

/** A device that is kept busy with `streams` streams at a time. */
export function pointAt(
  deployment: Deployment,
  decoder: Decoder,
  load: Load,
  streams: number,
): Point {
  const { tokensIn, tokensOut } = load
  const prefill =
    forwardSeconds(deployment, { streams: 1, rows: tokensIn, cached: 0 }) / deployment.efficiency
  const perToken = secondsPerToken(deployment, decoder, {
    streams,
    cached: tokensIn + tokensOut / 2,
  })
  // While a stream decodes, each of the others has its prompt computed once.
  const secondsInSlot = streams * prefill + tokensOut * perToken
  const deviceSecondsPerRequest = secondsInSlot / streams
  return {
    streams,
    deviceSecondsPerRequest,
    requestsPerSecond: 1 / deviceSecondsPerRequest,
    tokensPerSecond: tokensOut / deviceSecondsPerRequest,
    streamTokensPerSecond: tokensOut / (secondsInSlot - prefill),
    secondsInSlot,
    prefillSeconds: prefill,
  }
}

/** Probability that a request finds all `servers` busy (Erlang C), `offered` the load in servers. */
export function erlangC(servers: number, offered: number): number {
  if (offered >= servers) return 1
  // Erlang B by its recurrence, which stays within 0 and 1 however many servers there are.
  let blocked = 1
  for (let count = 1; count <= servers; count++) {
    blocked = (offered * blocked) / (count + offered * blocked)
  }
  const utilisation = offered / servers
  return blocked / (1 - utilisation + utilisation * blocked)
}

export interface Fleet {
  readonly devices: number
  /** Share of the slots in use. */
  readonly utilisation: number
  readonly waitProbability: number
  /** Of all requests, those that wait not at all too. */
  readonly meanWaitSeconds: number
}

/** The devices for a load such that no more than `utilisation` of them is in use on average. */
export function fleetFor(load: Load, point: Point, utilisation: number): Fleet {
  const devices = Math.max(
    1,
    Math.ceil(load.requestsPerSecond / (point.requestsPerSecond * utilisation) - 1e-9),
  )
  const slots = devices * point.streams
  const offered = load.requestsPerSecond * point.secondsInSlot
  const waitProbability = erlangC(slots, offered)
  return {
    devices,
    utilisation: offered / slots,
    waitProbability,
    meanWaitSeconds: (waitProbability * point.secondsInSlot) / (slots - offered),
  }
}

/** Price of a million generated tokens: the fleet's hour over the tokens of an hour. */
export function costPerMillion(load: Load, fleet: Fleet, pricePerHour: number): number {
  const tokensPerHour = load.requestsPerSecond * load.tokensOut * 3600
  return (1e6 * fleet.devices * pricePerHour) / tokensPerHour
}
