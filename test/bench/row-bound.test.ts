import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundMs, forwardBytes, forwardOperations, matrixParameters } from './row-bound.ts'

const architecture = {
  type: 'llama',
  layers: 2,
  hiddenSize: 8,
  heads: 2,
  keyValueHeads: 1,
  headSize: 4,
  intermediateSize: 16,
  vocabularySize: 32,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
  qkNorm: false,
} as const

test('parameters are counted matrix by matrix', () => {
  const [query, key, value, output, mlp, head] = [64, 32, 32, 64, 3 * 8 * 16, 8 * 32]
  assert.equal(matrixParameters(architecture), 2 * (query + key + value + output + mlp) + head)
})

test('a forward reads each weight once and the keys and values of each cached position', () => {
  const perPosition = 2 * 2 * 4 * 4
  assert.equal(forwardBytes(architecture, 10) - forwardBytes(architecture, 0), 10 * perPosition)
})

test('the bound is what is slower: reading at few rows, calculating at many', () => {
  const peaks = { bytesPerSecond: 1e6, operationsPerSecond: 16e6 }
  const reading = (1000 * forwardBytes(architecture, 0)) / 1e6
  assert.equal(boundMs(architecture, { cached: 0, rows: 1 }, peaks), reading)
  const many = { cached: 0, rows: 64 }
  const calculating = (1000 * forwardOperations(architecture, many)) / 16e6
  assert.equal(boundMs(architecture, many, peaks), calculating)
  assert.ok(calculating > reading)
})
