import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestSchema, type Manifest } from './manifest.ts'
import { parseWith } from './parse.ts'

const digest = 'ab'.repeat(32)
const manifest: Manifest = {
  formatVersion: 1,
  id: 'tiny',
  name: 'Tiny',
  architecture: {
    type: 'llama',
    layers: 2,
    hiddenSize: 64,
    heads: 4,
    keyValueHeads: 2,
    headSize: 16,
    intermediateSize: 128,
    vocabularySize: 256,
    ropeTheta: 10_000,
    normEpsilon: 1e-5,
    tiedEmbeddings: true,
    qkNorm: false,
  },
  contextLength: 128,
  maxBlockLength: 16,
  maskTokenId: 3,
  bosTokenId: 1,
  eosTokenIds: [2],
  padTokenId: 0,
  defaults: { mode: 'verified', gamma: 0.35, rule: 'strict', blockLength: 8 },
  graphs: [{ provider: 'cpu', precision: 'int8', file: 'graph.int8.onnx', sha256: digest }],
  weights: { file: 'model.safetensors', sha256: digest },
  tokenizer: {
    file: 'tokenizer.json',
    sha256: digest,
    configFile: 'tokenizer_config.json',
    configSha256: digest,
  },
  provenance: { createdBy: 'test', license: 'Apache-2.0', steps: 10 },
}

test('a manifest survives its file, free provenance included', () => {
  assert.deepEqual(manifestSchema.parse(JSON.parse(JSON.stringify(manifest))), manifest)
})

const architecture = (change: object): object => ({
  architecture: { ...manifest.architecture, ...change },
})
const graph = (change: object): object => ({ graphs: [{ ...manifest.graphs[0], ...change }] })
const faults: [param: string, change: object][] = [
  ['formatVersion', { formatVersion: 2 }],
  ['id', { id: 'a/b' }],
  ['architecture.keyValueHeads', architecture({ keyValueHeads: 3 })],
  ['architecture.headSize', architecture({ headSize: 15 })],
  ['architecture.type', architecture({ type: 'gpt2' })],
  ['maskTokenId', { maskTokenId: 256 }],
  ['maskTokenId', { maskTokenId: 2 }],
  ['bosTokenId', { bosTokenId: 256 }],
  ['eosTokenIds', { eosTokenIds: [2, 256] }],
  ['eosTokenIds', { eosTokenIds: [] }],
  ['defaults.blockLength', { maxBlockLength: 4 }],
  ['contextLength', { contextLength: 31 }],
  ['graphs', { graphs: [manifest.graphs[0], manifest.graphs[0]] }],
  ['graphs', { graphs: [] }],
  ['graphs[0].file', graph({ file: '../graph.onnx' })],
  ['graphs[0].file', graph({ file: '/graph.onnx' })],
  ['graphs[0].sha256', graph({ sha256: digest.toUpperCase() })],
]
for (const [param, change] of faults) {
  test(`a manifest is refused for ${param}: ${JSON.stringify(change).slice(0, 60)}`, () => {
    assert.throws(() => parseWith(manifestSchema, { ...manifest, ...change }), { param })
  })
}
