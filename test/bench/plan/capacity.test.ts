import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cacheBytesPerToken,
  costPerMillion,
  equation16,
  erlangC,
  fleetFor,
  forwardSeconds,
  pointAt,
  secondsPerToken,
  streamsThatFit,
  weightBytes,
} from './capacity.ts'
import type { Decoder, Deployment } from './capacity.ts'
import { DEVICES } from './devices.ts'
import { SIZES } from './models.ts'

/** 10 GB/s, 1000 operations/ns, and a model of round numbers. */
const architecture = {
  type: 'llama',
  layers: 1,
  hiddenSize: 10,
  heads: 1,
  keyValueHeads: 1,
  headSize: 10,
  intermediateSize: 10,
  vocabularySize: 30,
  ropeTheta: 1,
  normEpsilon: 1,
  tiedEmbeddings: true,
  qkNorm: false,
} as const
const device = {
  name: 'round',
  memoryBytes: 10_000,
  bytesPerSecond: 1000,
  operationsPerSecond: { fp32: 1e5, fp16: 1e6, int8: 1e6 },
  source: 'this test',
}
const round: Deployment = {
  device,
  architecture,
  precision: 'fp16',
  efficiency: 1,
  memoryShare: 1,
}
const ntp: Decoder = { mode: 'ntp', blockLength: 4, tokensPerForward: 1, rowsPerForward: 1 }

const near = (actual: number, expected: number, share = 1e-9): void =>
  assert.ok(Math.abs(actual / expected - 1) <= share, `${actual} is not ${expected}`)

test('bytes: 1000 parameters of two bytes, 40 for a token of keys and values', () => {
  // 4 x 100 of attention, 3 x 100 of the MLP, 300 of the head, which is the embedding too.
  assert.equal(weightBytes(round), 2000)
  assert.equal(
    weightBytes({ ...round, architecture: { ...architecture, tiedEmbeddings: false } }),
    2600,
  )
  assert.equal(cacheBytesPerToken(round), 40)
  // (10,000 - 2,000) / (50 x 40)
  assert.equal(streamsThatFit(round, { requestsPerSecond: 1, tokensIn: 40, tokensOut: 10 }), 4)
  assert.ok(
    streamsThatFit(
      { ...round, memoryShare: 0.1 },
      { requestsPerSecond: 1, tokensIn: 1, tokensOut: 1 },
    ) < 0,
  )
})

test('a forward takes as long as its bytes or its operations, whichever is longer', () => {
  // 2000 + 2 x 25 x 40 bytes at 1000 a second; few operations.
  assert.equal(forwardSeconds(round, { streams: 2, rows: 1, cached: 25 }), 4)
  // 1000 rows of 2 x 1000 + 4 x 10 x 1000 operations, at a million a second.
  assert.equal(forwardSeconds(round, { streams: 1, rows: 1000, cached: 0 }), 42)
})

test('tokens cost a share of a forward: one by one, and in blocks by Eq. 16', () => {
  const at = { streams: 1, cached: 0 }
  assert.equal(secondsPerToken(round, ntp, at), 2)
  assert.equal(secondsPerToken({ ...round, efficiency: 0.5 }, ntp, at), 4)
  const verified: Decoder = { ...ntp, mode: 'verified', tokensPerForward: 2.5, rowsPerForward: 9 }
  assert.equal(secondsPerToken(round, verified, at), 0.8)
  // Where rows cost as much as the tokens they bring are worth, there are no drafts.
  const crowd = { streams: 100, cached: 0 }
  assert.equal(secondsPerToken(round, { ...verified, rowsPerForward: 99 }, crowd), 2)
  // While reading decides every forward takes 2 s: k = 4 tokens in 2 forwards.
  const block: Decoder = { ...ntp, mode: 'sbd', tokensPerForward: 2 }
  assert.equal(secondsPerToken(round, block, at), 1)
  assert.equal(equation16(round, block, at), 2)
})

test('a busy device: prompts and forwards are shared out among its streams', () => {
  const load = { requestsPerSecond: 1, tokensIn: 2, tokensOut: 10 }
  // Prefill 2 s. A forward of 4 streams at 7 cached: (2000 + 4 x 7 x 40) / 1000 = 3.12 s.
  const point = pointAt(round, ntp, load, 4)
  near(point.secondsInSlot, 4 * 2 + 10 * 3.12)
  near(point.deviceSecondsPerRequest, 9.8)
  near(point.tokensPerSecond, 10 / 9.8)
  near(point.streamTokensPerSecond, 10 / 37.2)
})

test('Erlang C is what its tables say', () => {
  near(erlangC(1, 0.5), 0.5)
  // 2 servers, offered 1: (1/2) x 2 / (1 + 1 + 1) = 1/3.
  near(erlangC(2, 1), 1 / 3)
  near(erlangC(10, 8), 0.4092, 1e-3)
  assert.equal(erlangC(3, 3), 1)
  assert.ok(erlangC(5000, 3500) < 1e-9)
})

test('a fleet keeps its headroom, and its cost is its hour over the tokens of an hour', () => {
  const load = { requestsPerSecond: 3, tokensIn: 1, tokensOut: 100 }
  const point = {
    streams: 2,
    deviceSecondsPerRequest: 0.5,
    requestsPerSecond: 2,
    tokensPerSecond: 200,
    streamTokensPerSecond: 100,
    secondsInSlot: 1,
    prefillSeconds: 0,
  }
  const fleet = fleetFor(load, point, 0.75)
  assert.equal(fleet.devices, 2)
  assert.equal(fleet.utilisation, 0.75)
  near(fleet.meanWaitSeconds, erlangC(4, 3) * 1)
  // 2 x $ 2.70 an hour over 3 x 100 x 3600 tokens.
  near(costPerMillion(load, fleet, 2.7), 5)
})

test('an 8B model in fp16 on an H200: 15 GB a forward, 3.1 ms, 107 GB for 131 kB a token', () => {
  const deployment: Deployment = {
    device: DEVICES['h200']!,
    architecture: SIZES['8b']!,
    precision: 'fp16',
    efficiency: 1,
    memoryShare: 0.9,
  }
  // 32 x (80 x 128 x 4096 + 3 x 4096 x 14336) + 128256 x 4096, and the embedding once more.
  assert.equal(weightBytes(deployment), 2 * (7_504_658_432 + 525_336_576))
  assert.equal(cacheBytesPerToken(deployment), 131_072)
  near(forwardSeconds(deployment, { streams: 1, rows: 1, cached: 0 }), (2 * 7_504_658_432) / 4.8e12)
  // (126.9 - 16.06) GB / (1024 x 131,072 B)
  assert.equal(
    streamsThatFit(deployment, { requestsPerSecond: 1, tokensIn: 768, tokensOut: 256 }),
    825,
  )
})

test('Eq. 16 with a model’s true sizes: 16 tokens in 4 forwards, 8B in 8 bits on an H100', () => {
  const deployment: Deployment = {
    device: DEVICES['h100']!,
    architecture: SIZES['8b']!,
    precision: 'int8',
    efficiency: 1,
    memoryShare: 0.9,
  }
  const block: Decoder = { mode: 'sbd', blockLength: 16, tokensPerForward: 4, rowsPerForward: 16 }
  const at = (streams: number) => equation16(deployment, block, { streams, cached: 1024 })
  near(at(1), 4, 0.01)
  // 64 streams: reading, 24.7 GB, decides at one row; 1,024 and 2,048 rows take 8.04 and 16.1 ms.
  near(at(64), (16 * 7.37) / (16.1 + 3 * 8.04), 0.01)
})
