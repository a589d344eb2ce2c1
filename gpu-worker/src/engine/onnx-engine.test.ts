import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { ApiError, InvariantError, limits } from '@setblock/shared'

import type { SequenceRows } from './engine.ts'
import { loadModel } from './manifest.ts'
import { createOnnxEngine } from './onnx-engine.ts'
import type { ForwardRows, RowResults } from '../decoding/rows.ts'
import { buildModel } from '../model-builder/build-model.ts'
import { assertCandidates, assertResults, referenceLogits } from '../testing/engine-reference.ts'
import { MASK_TOKEN_ID, writeRandomCheckpoint } from '../testing/random-checkpoint.ts'
import type { RandomModel } from '../testing/random-checkpoint.ts'
import { readReferenceModel } from '../testing/reference-model.ts'
import { seededRandom } from '../testing/seeded-random.ts'

const TOLERANCE = 1e-4
const VOCABULARY = 96

const cleanUps: (() => Promise<void>)[] = []
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

async function setUp(precision: 'fp32' | 'int8', overrides: Partial<RandomModel> = {}) {
  const { folder, remove } = await writeRandomCheckpoint(overrides)
  cleanUps.push(remove)
  const reference = await readReferenceModel(folder)
  await buildModel({ folder, targets: [precision === 'int8' ? 'cpu-int8' : precision] })
  const options = { threads: 1, spinning: false, sequencesMax: 3 }
  const engine = await createOnnxEngine(await loadModel(folder, precision), options)
  cleanUps.push(() => engine.dispose())
  return { engine, reference }
}

const masks = (length: number) => Array.from({ length }, () => MASK_TOKEN_ID)

const causal = (tail: number[]): ForwardRows => {
  return { tail, groups: [], readTail: tail.length, entropies: 'all', top: 'all' }
}

/** Tokens, groups and reads drawn at random; every third step has no group. */
function randomRows(random: () => number, step: number, tailMax: number): ForwardRows {
  const below = (n: number) => Math.floor(random() * n)
  const tail = Array.from({ length: 1 + below(tailMax) }, () => below(VOCABULARY))
  const groups = Array.from({ length: step % 3 }, () => ({
    tokens: Array.from({ length: 1 + below(8) }, () =>
      random() < 0.5 ? MASK_TOKEN_ID : below(VOCABULARY),
    ),
    afterTail: below(tail.length + 1),
  }))
  return { tail, groups, readTail: below(tail.length + 1), entropies: 'all', top: 'all' }
}

for (const type of ['llama', 'qwen3'] as const) {
  test(`${type}: cached steps equal full recomputation`, async () => {
    // 97 has no divisor to cut the vocabulary into blocks by; 96 has.
    const shape = type === 'llama' ? { tied: true } : { tied: false, vocabularySize: 97 }
    const { engine, reference } = await setUp('fp32', { type, seed: 7, ...shape })
    const random = seededRandom(11)
    const cached: number[] = []
    const sequence = engine.open()
    for (let step = 0; step < 16; step++) {
      const rows = randomRows(random, step, 20)
      const [results] = await engine.forward([{ sequence, ...rows }])
      const logits = referenceLogits(reference, cached, rows)
      assertResults(results!, logits, TOLERANCE)
      assertCandidates(results!, logits, TOLERANCE)
      const keep = Math.floor(random() * (rows.tail.length + 1))
      engine.commit(sequence, keep)
      cached.push(...rows.tail.slice(0, keep))
      assert.equal(engine.cachedLength(sequence), cached.length)
    }
    assert.ok(cached.length > 64, `only ${cached.length} positions were cached: no bucket was left`)
    engine.close(sequence)
    engine.checkIntegrity()
  })
}

test('prefill in chunks equals prefill at once', async () => {
  const { engine, reference } = await setUp('fp32', { seed: 3 })
  const prompt = Array.from({ length: 150 }, (_, i) => (i * 29 + 5) % VOCABULARY)
  const sequence = engine.open()
  let cached: number[] = []
  for (const length of [70, 1, 64]) {
    const tail = prompt.slice(cached.length, cached.length + length)
    const [results] = await engine.forward([{ sequence, ...causal(tail), readTail: 0 }])
    assert.equal(results!.ids.length, 0)
    engine.commit(sequence, tail.length)
    cached = prompt.slice(0, cached.length + length)
  }
  const rows = causal(prompt.slice(cached.length))
  const [results] = await engine.forward([{ sequence, ...rows }])
  assertResults(results!, referenceLogits(reference, cached, rows), TOLERANCE)
})

test('entropies of the groups alone are those that all rows get', async () => {
  const { engine } = await setUp('int8', { type: 'llama', seed: 3 })
  const sequence = engine.open()
  const group = { tokens: [MASK_TOKEN_ID, 7, MASK_TOKEN_ID], afterTail: 2 }
  const rows = { sequence, tail: [5, 6], groups: [group], readTail: 2, top: 'none' } as const
  const [all] = await engine.forward([{ ...rows, entropies: 'all' }])
  const [some] = await engine.forward([{ ...rows, entropies: 'groups' }])
  for (const figure of ['entropies', 'logprobs'] as const) {
    const [first, second, ...groups] = all![figure]!
    assert.ok(Number.isFinite(first) && Number.isFinite(second))
    assert.deepEqual([...some![figure]!], [Number.NaN, Number.NaN, ...groups])
  }
})

test('a ragged batch equals its sequences alone', async () => {
  const { engine, reference } = await setUp('fp32', { type: 'qwen3', seed: 5 })
  const random = seededRandom(23)
  const sequences = [70, 9, 0].map((length) => ({
    sequence: engine.open(),
    cached: [] as number[],
    prompt: Array.from({ length }, () => Math.floor(random() * VOCABULARY)),
  }))
  for (const { sequence, cached, prompt } of sequences) {
    if (prompt.length === 0) continue
    await engine.forward([{ sequence, ...causal(prompt) }])
    engine.commit(sequence, prompt.length)
    cached.push(...prompt)
  }
  for (let step = 0; step < 4; step++) {
    const batch = sequences.map(({ sequence }, i) => ({
      sequence,
      ...randomRows(random, step + i, 12),
    }))
    batch[step % 3] = { ...batch[step % 3]!, entropies: 'none', top: 'tail' }
    const results = await engine.forward(batch)
    for (const [i, rows] of batch.entries()) {
      const logits = referenceLogits(reference, sequences[i]!.cached, rows)
      assertResults(results[i]!, logits, TOLERANCE)
      assert.equal(results[i]!.entropies === undefined, rows.entropies === 'none')
      assert.equal(results[i]!.logprobs === undefined, rows.entropies === 'none')
      const offered = rows.top === 'all' ? logits : logits.slice(0, rows.readTail)
      assertCandidates(results[i]!, offered, TOLERANCE)
    }
    for (const [i, { sequence, tail }] of batch.entries()) {
      engine.commit(sequence, tail.length)
      sequences[i]!.cached.push(...tail)
    }
  }
})

for (const [precision, keyValueHeads] of [
  ['int8', 2],
  ['int8', 4],
  ['fp32', 2],
  ['fp32', 4],
] as const) {
  const name = `${precision}, ${keyValueHeads} key-value heads`
  test(`${name}: a row is the same to the last bit however the work is split`, async () => {
    const sizes = { hiddenSize: 64, headSize: 32, intermediateSize: 112, vocabularySize: 256 }
    const shape = { ...sizes, keyValueHeads }
    const { engine } = await setUp(precision, { seed: 17, ...shape })
    const random = seededRandom(41)
    const tokens = Array.from({ length: 150 }, () => Math.floor(random() * 256))
    const [single, chunked, other] = [engine.open(), engine.open(), engine.open()]
    const expected: RowResults[] = []
    for (const token of tokens) {
      const [results] = await engine.forward([{ sequence: single, ...causal([token]) }])
      engine.commit(single, 1)
      expected.push(results!)
    }
    for (let step = 0, done = 0; done < tokens.length; step++) {
      const rows = randomRows(random, step, 30)
      const tail = tokens.slice(done, done + rows.tail.length)
      const groups = rows.groups.map((group) => ({ ...group, afterTail: 0 }))
      const batch = [{ ...rows, sequence: chunked, tail, groups, readTail: tail.length }]
      const beside = { sequence: other, ...randomRows(random, step, 40) }
      const [results] = await engine.forward(step % 2 === 0 ? batch : [...batch, beside])
      for (const i of tail.keys()) assertRow(results!, i, expected[done + i]!)
      const kept = 1 + Math.floor(random() * tail.length)
      engine.commit(chunked, kept)
      done += kept
    }
  })
}

function assertRow(actual: RowResults, row: number, expected: RowResults): void {
  const count = limits.topKMax
  const part = (values: Int32Array | Float32Array) =>
    Array.from(values.subarray(row * count, (row + 1) * count))
  assert.equal(actual.ids[row], expected.ids[0])
  assert.equal(actual.entropies![row], expected.entropies![0])
  assert.equal(actual.logprobs![row], expected.logprobs![0])
  assert.deepEqual(part(actual.topIds!), [...expected.topIds!])
  assert.deepEqual(part(actual.topLogits!), [...expected.topLogits!])
}

test('int8 picks the tokens of the double-precision reference', async (t) => {
  const { engine, reference } = await setUp('int8', { seed: 9, hiddenSize: 64 })
  const random = seededRandom(31)
  const sequence = engine.open()
  let agreed = 0
  let total = 0
  for (let step = 0; step < 12; step++) {
    const rows = randomRows(random, step, 16)
    const [results] = await engine.forward([{ sequence, ...rows }])
    const best = referenceLogits(reference, [], rows).map((logits) => {
      logits[MASK_TOKEN_ID] = -Infinity
      return logits.indexOf(Math.max(...logits))
    })
    total += best.length
    agreed += best.filter((id, row) => id === results!.ids[row]).length
  }
  t.diagnostic(`the same token in ${agreed} of ${total} rows`)
  assert.ok(agreed >= 0.9 * total, `${agreed} of ${total} rows agree`)
})

test('a padding token whose embedding is all zeros goes through int8', async () => {
  const { engine, reference } = await setUp('int8', { seed: 13, layers: 1 })
  const sequence = engine.open()
  const rows = causal([0])
  const [results] = await engine.forward([{ sequence, ...rows }])
  const [logits] = referenceLogits(reference, [], rows)
  assert.deepEqual(Math.max(...logits!), 0)
  assertCandidates(results!, [logits!], 1e-6)
  assert.equal(results!.ids[0], 0, 'of equal logits the first wins')
})

test('sequences are bounded, reusable, and forget what they cached', async () => {
  const { engine } = await setUp('fp32')
  const open = [engine.open(), engine.open(), engine.open()]
  assert.throws(
    () => engine.open(),
    (error) => error instanceof ApiError && error.code === 'overloaded',
  )
  const sequence = open[0]!
  const rows = { sequence, ...causal([5, 6, 7]) }
  const [before] = await engine.forward([rows])
  engine.commit(sequence, 3)
  engine.close(sequence)
  engine.close(sequence)
  engine.checkIntegrity()
  assert.throws(() => engine.cachedLength(sequence), InvariantError)

  const again = engine.open()
  assert.notEqual(again, sequence)
  assert.equal(engine.cachedLength(again), 0)
  const [fresh] = await engine.forward([{ ...rows, sequence: again }])
  assert.deepEqual(fresh, before)
  for (const id of [again, ...open]) engine.close(id)
  engine.checkIntegrity()
})

test('int8: a row is the same to the last bit with one thread and with three', async () => {
  const shape = { hiddenSize: 96, headSize: 32, intermediateSize: 176, vocabularySize: 288 }
  const { folder, remove } = await writeRandomCheckpoint({ seed: 43, ...shape })
  cleanUps.push(remove)
  await buildModel({ folder, targets: ['cpu-int8'] })
  const model = await loadModel(folder, 'int8')
  const one = await createOnnxEngine(model, { threads: 1, spinning: false, sequencesMax: 1 })
  const three = await createOnnxEngine(model, { threads: 3, spinning: true, sequencesMax: 1 })
  cleanUps.push(
    () => one.dispose(),
    () => three.dispose(),
  )
  const random = seededRandom(47)
  const [a, b] = [one.open(), three.open()]
  for (let step = 0; step < 8; step++) {
    const rows = randomRows(random, step, 20)
    const results = await one.forward([{ sequence: a, ...rows }])
    assert.deepEqual(await three.forward([{ sequence: b, ...rows }]), results)
    one.commit(a, rows.tail.length)
    three.commit(b, rows.tail.length)
  }
})

test('an engine that may use more threads for many rows answers as one that may not', async () => {
  const { engine } = await setUp('int8', { seed: 53 })
  const { folder, remove } = await writeRandomCheckpoint({ seed: 53 })
  cleanUps.push(remove)
  await buildModel({ folder, targets: ['cpu-int8'] })
  const options = { threads: 1, wideThreads: 2, spinning: false, sequencesMax: 1 }
  const tuned = await createOnnxEngine(await loadModel(folder, 'int8'), options)
  cleanUps.push(() => tuned.dispose())
  const [a, b] = [engine.open(), tuned.open()]
  for (const length of [1, 3, 16, 64, 100]) {
    const rows = causal(Array.from({ length }, (_, i) => (i * 7 + length) % VOCABULARY))
    const expected = await engine.forward([{ sequence: a, ...rows }])
    assert.deepEqual(await tuned.forward([{ sequence: b, ...rows }]), expected)
  }
  tuned.close(b)
  tuned.checkIntegrity()
})

test('the budget of the caches decides how many sequences there are', async () => {
  const { folder, remove } = await writeRandomCheckpoint()
  cleanUps.push(remove)
  await buildModel({ folder, targets: ['fp32'] })
  const model = await loadModel(folder, 'fp32')
  const options = { threads: 1, spinning: false, sequencesMax: 4 }
  const slotBytes = 4 * 320 * 32 * 4 // planes, positions, values, bytes
  const engine = await createOnnxEngine(model, { ...options, kvBytesMax: 5 * slotBytes })
  cleanUps.push(() => engine.dispose())
  assert.equal(engine.limits.sequencesMax, 2)
  const tooSmall = createOnnxEngine(model, { ...options, kvBytesMax: slotBytes - 1 })
  await assert.rejects(tooSmall, /the cache of one sequence does not fit 163839 bytes$/)
})

test('a batch keeps its joined copy right while sequences come, go and change places', async () => {
  const { engine, reference } = await setUp('fp32', { seed: 29 })
  const random = seededRandom(61)
  const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(random() * 90))
  const cached = new Map<number, number[]>([0, 1, 2].map(() => [engine.open(), []]))
  for (let step = 0; step < 14; step++) {
    if (step % 5 === 4) {
      const [first] = [...cached.keys()]
      engine.close(first!)
      cached.delete(first!)
      cached.set(engine.open(), [])
    }
    const order = [...cached.keys()]
    if (step % 3 === 2) order.reverse()
    const batch = order.slice(0, 2 + (step % 2)).map((sequence) => {
      return { sequence, ...causal(tokens(1 + Math.floor(random() * 12))) }
    })
    const results = await engine.forward(batch)
    for (const [i, { sequence, ...rows }] of batch.entries()) {
      const before = cached.get(sequence)!
      assertResults(results[i]!, referenceLogits(reference, before, rows), TOLERANCE)
      const kept = Math.ceil(random() * rows.tail.length)
      engine.commit(sequence, kept)
      cached.set(sequence, [...before, ...rows.tail.slice(0, kept)])
    }
  }
})

test('a batch that runs in two parts gives each sequence its own results', async () => {
  const { engine, reference } = await setUp('fp32', { seed: 37 })
  const random = seededRandom(71)
  const prompt = Array.from({ length: 130 }, () => Math.floor(random() * 90))
  const sequences = [engine.open(), engine.open(), engine.open()]
  const batch = [causal(prompt.slice(0, 2)), causal(prompt), causal(prompt.slice(5, 6))].map(
    (rows, i) => ({ sequence: sequences[i]!, ...rows }),
  )
  for (const cached of [false, true]) {
    const results = await engine.forward(batch)
    for (const [i, { sequence, ...rows }] of batch.entries()) {
      const before = cached ? rows.tail.slice(0, 1) : []
      assertResults(results[i]!, referenceLogits(reference, before, rows), TOLERANCE)
      engine.commit(sequence, cached ? rows.tail.length : 1)
    }
  }
})

test('misuse is refused before it reaches the graph', async () => {
  const { engine } = await setUp('fp32')
  const sequence = engine.open()
  const good: SequenceRows = { sequence, ...causal([1, 2, 4]) }
  const bad: Record<string, SequenceRows[]> = {
    'empty batch': [],
    'same sequence twice': [good, good],
    'no rows': [{ ...good, tail: [], readTail: 0 }],
    'unknown sequence': [{ ...good, sequence: 999 }],
    'token outside the vocabulary': [{ ...good, tail: [1, VOCABULARY, 4] }],
    'negative token': [{ ...good, tail: [1, -1, 4] }],
    'reads more than the tail': [{ ...good, readTail: 4 }],
    'group after more than the tail': [{ ...good, groups: [{ tokens: [3], afterTail: 4 }] }],
    'group over the block length': [{ ...good, groups: [{ tokens: masks(17), afterTail: 0 }] }],
    'tail over the context': [{ ...good, tail: masks(193) }],
  }
  for (const [name, batch] of Object.entries(bad)) {
    await assert.rejects(engine.forward(batch), InvariantError, name)
  }
  assert.throws(() => engine.commit(sequence, 0), InvariantError, 'commit without a forward')
  await engine.forward([good])
  assert.throws(() => engine.commit(sequence, 4), InvariantError, 'commit over the tail')
  engine.commit(sequence, 2)
  assert.throws(() => engine.commit(sequence, 1), InvariantError, 'second commit')
  assert.equal(engine.cachedLength(sequence), 2)
})

test('a forward may fill the context to its last position', async () => {
  const { engine, reference } = await setUp('fp32', { contextLength: 64 })
  const sequence = engine.open()
  const prompt = Array.from({ length: 63 }, (_, i) => 4 + (i % 90))
  await engine.forward([{ sequence, ...causal(prompt) }])
  engine.commit(sequence, 63)
  const groups = [{ tokens: masks(16), afterTail: 1 }]
  const rows: ForwardRows = { ...causal([8]), groups }
  const [results] = await engine.forward([{ sequence, ...rows }])
  assertResults(results!, referenceLogits(reference, prompt, rows), TOLERANCE)
  engine.commit(sequence, 1)
  assert.equal(engine.cachedLength(sequence), 64)
  await assert.rejects(engine.forward([{ sequence, ...causal([9]) }]), InvariantError)
})
