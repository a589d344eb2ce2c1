import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ruleSchema, type Job } from '@setblock/shared'
import * as fc from 'fast-check'
import { rowCount } from '../engine/attention-mask.ts'
import { TOY_MASK, TOY_STOP, ToyEngine } from '../testing/toy-engine.ts'
import type { Reveal, RowGrant } from './decoder.ts'
import { JobDecoder } from './job-decoder.ts'

type Change = Partial<Omit<Job, 'decoding' | 'sampling'>> & {
  decoding?: Partial<Job['decoding']>
  sampling?: Partial<Job['sampling']>
}

function makeJob({ decoding, sampling, ...rest }: Change): Job {
  return {
    id: 'job',
    model: 'toy',
    tokenIds: [1, 20, 30],
    maxTokens: 60,
    stopTokenIds: [TOY_STOP],
    decoding: { mode: 'ntp', gamma: 0.1, blockLength: 8, rule: 'strict', ...decoding },
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 1, ...sampling },
    ...rest,
  }
}

/** As many rows as a lone job gets, at the price of a row on a CPU. */
const roomy = (): RowGrant => ({ rowPrice: 0.05, rowsMax: 256 })

interface Run {
  readonly tokens: number[]
  readonly forwards: number
  readonly rows: number
  readonly finish: string
  /** Positions in the order they were revealed. */
  readonly revealed: number[]
  readonly cached: readonly number[]
  readonly reveals: readonly Reveal[]
  readonly topAsked: ReadonlySet<string>
}

/** Drives a decoder by hand, checking that positions are revealed once and that masked ids never are. */
async function run(job: Job, missRate = 0.3, grant = roomy): Promise<Run> {
  const engine = new ToyEngine({ missRate })
  const sequence = engine.open()
  const decoder = new JobDecoder(job, TOY_MASK)
  const text = new Map<number, number>()
  const revealed: number[] = []
  const reveals: Reveal[] = []
  const topAsked = new Set<string>()
  let computed = 0
  for (let forwards = 1; forwards < 1000; forwards += 1) {
    const granted = grant()
    decoder.demand(granted.rowPrice)
    const rows = decoder.plan(granted)
    topAsked.add(rows.top)
    computed += rowCount(rows)
    const [results] = await engine.forward([{ sequence, ...rows }])
    const { commit, reveal, finish } = decoder.settle(results!)
    engine.commit(sequence, commit)
    if (reveal !== undefined) reveals.push(reveal)
    for (const [index, position] of (reveal?.positions ?? []).entries()) {
      assert.ok(!text.has(position), `position ${position} was revealed twice`)
      assert.notEqual(reveal!.tokenIds[index], TOY_MASK)
      text.set(position, reveal!.tokenIds[index]!)
      revealed.push(position)
    }
    if (finish === undefined) continue
    const ordered = [...text.keys()].sort((a, b) => a - b).map((position) => text.get(position)!)
    const stop = ordered.findIndex((id) => job.stopTokenIds.includes(id))
    const tokens = stop === -1 ? ordered : ordered.slice(0, stop + 1)
    const start = job.tokenIds.length
    for (const offset of tokens.keys()) assert.ok(text.has(start + offset), 'the text has a hole')
    const cached = engine.cachedTokens(sequence)
    return { tokens, forwards, rows: computed, finish, revealed, cached, reveals, topAsked }
  }
  throw new Error('the decoder never finished')
}

const prompts = Array.from({ length: 40 }, (_, index) => [1, 8 + index, 9 + ((index * 7) % 40)])

describe('ntp', () => {
  test('one token a forward until the stop token or the limit', async () => {
    const finishes = new Set<string>()
    for (const tokenIds of prompts) {
      const { tokens, forwards, finish } = await run(makeJob({ tokenIds }))
      assert.equal(forwards, tokens.length)
      assert.equal(finish, tokens.at(-1) === TOY_STOP ? 'stop' : 'length')
      if (finish === 'length') assert.equal(tokens.length, 60)
      finishes.add(finish)
    }
    assert.deepEqual([...finishes].sort(), ['length', 'stop'])
  })

  test('a long prompt is committed in chunks before anything is read', async () => {
    const tokenIds = Array.from({ length: 2 * 256 + 5 }, (_, index) => 8 + (index % 40))
    const { tokens, forwards, cached } = await run(makeJob({ tokenIds }))
    assert.equal(forwards, tokens.length + 2)
    assert.deepEqual(cached, [...tokenIds, ...tokens.slice(0, -1)])
  })
})

describe('verified', () => {
  for (const missRate of [0, 0.2, 0.6, 1]) {
    test(`greedy: token for token that of ntp, drafts wrong at ${missRate}`, async () => {
      let [tokens, forwards] = [0, 0]
      for (const tokenIds of prompts) {
        for (const blockLength of [2, 5, 16]) {
          for (const maxTokens of [1, 2, 17, 60]) {
            const ntp = await run(makeJob({ tokenIds, maxTokens }), missRate)
            const decoding = { mode: 'verified', blockLength } as const
            const verified = await run(makeJob({ tokenIds, maxTokens, decoding }), missRate)
            assert.deepEqual(verified.tokens, ntp.tokens)
            assert.equal(verified.finish, ntp.finish)
            assert.ok(verified.forwards <= ntp.forwards)
            tokens += verified.tokens.length
            forwards += verified.forwards
          }
        }
      }
      if (missRate === 0)
        assert.ok(tokens / forwards > 2.5, `${tokens / forwards} tokens a forward`)
      if (missRate === 1) assert.ok(tokens / forwards < 1.1)
    })
  }

  test('sampled: the same text as ntp for the same seed', async () => {
    for (const [index, tokenIds] of prompts.entries()) {
      const sampling = { temperature: 0.8, topP: 0.9, seed: index }
      const ntp = await run(makeJob({ tokenIds, sampling }))
      const verified = await run(makeJob({ tokenIds, sampling, decoding: { mode: 'verified' } }))
      assert.deepEqual(verified.tokens, ntp.tokens)
    }
  })

  test('the same text whatever rows were granted, greedy or sampled', async () => {
    const settings = fc.record({
      missRate: fc.constantFrom(0, 0.1, 0.5, 1),
      blockLength: fc.integer({ min: 2, max: 16 }),
      maxTokens: fc.integer({ min: 1, max: 60 }),
      prompt: fc.array(fc.integer({ min: 8, max: 55 }), { minLength: 1, maxLength: 30 }),
      temperature: fc.constantFrom(0, 0.7, 1.3),
      grants: fc.infiniteStream(
        fc.record({
          rowPrice: fc.double({ min: 0, max: 1, noNaN: true }),
          rowsMax: fc.integer({ min: 1, max: 40 }),
        }),
      ),
    })
    await fc.assert(
      fc.asyncProperty(settings, async (given) => {
        const { missRate, maxTokens, prompt: tokenIds, grants, temperature } = given
        const shape = { tokenIds, maxTokens, sampling: { temperature } }
        const ntp = await run(makeJob(shape), missRate)
        const decoding = { mode: 'verified', blockLength: given.blockLength } as const
        const grant = (): RowGrant => grants.next().value
        const verified = await run(makeJob({ ...shape, decoding }), missRate, grant)
        assert.deepEqual(verified.tokens, ntp.tokens)
        assert.equal(verified.finish, ntp.finish)
      }),
      { numRuns: 100 },
    )
  })

  test('on text that it cannot guess it comes to plain decoding, but for a probe now and then', async () => {
    const job = makeJob({ decoding: { mode: 'verified' }, stopTokenIds: [], maxTokens: 900 })
    const { tokens, forwards, rows } = await run(job, 1)
    assert.ok(forwards > 0.95 * tokens.length)
    assert.ok(rows < 1.8 * tokens.length, `${rows} rows for ${tokens.length} tokens`)
  })

  test('a dear row shortens drafts: fewer rows a forward, at the cost of more forwards', async () => {
    const at = async (rowPrice: number) => {
      const job = makeJob({ decoding: { mode: 'verified', blockLength: 16 }, stopTokenIds: [] })
      return run(job, 0.2, () => ({ rowPrice, rowsMax: 256 }))
    }
    const [cheap, dear, none] = [await at(0.02), await at(0.3), await at(1)]
    assert.ok(dear.rows / dear.forwards < 0.7 * (cheap.rows / cheap.forwards))
    assert.ok(dear.forwards > cheap.forwards)
    assert.ok(none.forwards > dear.forwards)
  })

  test('only emitted tokens are ever cached', async () => {
    for (const tokenIds of prompts) {
      const job = makeJob({ tokenIds, decoding: { mode: 'verified' } })
      const { tokens, cached } = await run(job, 0.5)
      assert.deepEqual(cached, [...tokenIds, ...tokens].slice(0, cached.length))
    }
  })
})

describe('sbd', () => {
  const sbd = (decoding: Partial<Job['decoding']>, rest: Change = {}): Job =>
    makeJob({ maxTokens: 64, ...rest, decoding: { mode: 'sbd', ...decoding } })

  test('gamma 0 reveals one token a forward; forwards fall as gamma rises', async () => {
    for (const rule of ruleSchema.options) {
      const totals: number[] = []
      for (const gamma of [0, 0.05, 0.35, 1.5, 100]) {
        let forwards = 0
        for (const tokenIds of prompts) {
          const result = await run(sbd({ gamma, rule }, { tokenIds }))
          if (gamma === 0) assert.equal(result.forwards, result.revealed.length)
          forwards += result.forwards
        }
        totals.push(forwards)
      }
      assert.deepEqual(
        totals,
        [...totals].sort((a, b) => b - a),
      )
      assert.ok(totals[4]! * 4 < totals[0]!, String(totals))
    }
  })

  test('an unbounded gamma reveals each block at once, whole blocks are cached one forward late', async () => {
    const job = sbd({ gamma: 200, rule: 'strict' }, { maxTokens: 24, stopTokenIds: [] })
    const { tokens, forwards, cached } = await run(job, 0)
    assert.equal(tokens.length, 24)
    assert.equal(forwards, 3)
    assert.deepEqual(cached, [...job.tokenIds, ...tokens.slice(0, 16)])
  })

  test('the first token of a block is the causal one', async () => {
    for (const tokenIds of prompts) {
      const ntp = await run(makeJob({ tokenIds }))
      const decoded = await run(sbd({ gamma: 0.35 }, { tokenIds }), 1)
      assert.equal(decoded.tokens[0], ntp.tokens[0])
    }
  })

  test('maxTokens is kept exactly, also inside a block', async () => {
    for (const maxTokens of [1, 3, 8, 9, 31]) {
      const job = sbd({ gamma: 0.35 }, { maxTokens, stopTokenIds: [] })
      const { tokens, finish, revealed } = await run(job)
      assert.equal(tokens.length, maxTokens)
      assert.equal(finish, 'length')
      assert.equal(revealed.length, maxTokens)
    }
  })

  test('the text ends at the first stop token that has no mask left of it', async () => {
    let stopped = 0
    for (const tokenIds of prompts) {
      for (const gamma of [0, 0.35, 3]) {
        const { tokens, finish } = await run(sbd({ gamma, blockLength: 16 }, { tokenIds }))
        assert.equal(tokens.slice(0, -1).includes(TOY_STOP), false)
        assert.equal(finish === 'stop', tokens.at(-1) === TOY_STOP)
        stopped += finish === 'stop' ? 1 : 0
      }
    }
    assert.ok(stopped > 10)
  })

  test('a seed replays, another seed differs', async () => {
    const text = async (seed: number): Promise<string> => {
      const sampling = { temperature: 1, seed }
      const runs = await Promise.all(
        prompts.map((tokenIds) => run(sbd({}, { tokenIds, sampling }))),
      )
      return JSON.stringify(runs.map(({ tokens }) => tokens))
    }
    assert.equal(await text(3), await text(3))
    assert.notEqual(await text(3), await text(4))
  })
})

describe('sbd, rule prefix', () => {
  const prefix = (gamma: number, rest: Change = {}): Job =>
    makeJob({ maxTokens: 64, ...rest, decoding: { mode: 'sbd', rule: 'prefix', gamma } })

  test('gamma 0 gives the text of ntp, greedy and sampled', async () => {
    for (const tokenIds of prompts) {
      for (const temperature of [0, 0.9]) {
        const change = { tokenIds, maxTokens: 64, sampling: { temperature } }
        const ntp = await run(makeJob(change))
        const decoded = await run(prefix(0, change), 0.5)
        assert.deepEqual(decoded.tokens, ntp.tokens)
      }
    }
  })

  test('positions are revealed in order, and what is revealed is cached by the next forward', async () => {
    for (const tokenIds of prompts) {
      const { revealed, reveals, tokens, cached } = await run(prefix(0.35, { tokenIds }))
      assert.deepEqual(
        revealed,
        [...revealed.keys()].map((index) => tokenIds.length + index),
      )
      const last = reveals.at(-1)!.tokenIds.length
      assert.deepEqual(cached, [...tokenIds, ...tokens.slice(0, tokens.length - last)])
    }
  })

  test('an unbounded gamma reveals a whole block a forward', async () => {
    const { tokens, forwards } = await run(prefix(200, { maxTokens: 24, stopTokenIds: [] }), 0)
    assert.equal(tokens.length, 24)
    assert.equal(forwards, 3)
  })

  test('maxTokens and the stop token end the text where it stands', async () => {
    for (const maxTokens of [1, 3, 8, 9, 31]) {
      const { tokens, finish } = await run(prefix(3, { maxTokens, stopTokenIds: [] }))
      assert.deepEqual([tokens.length, finish], [maxTokens, 'length'])
    }
    const runs = await Promise.all(prompts.map((tokenIds) => run(prefix(3, { tokenIds }))))
    assert.ok(runs.some(({ finish }) => finish === 'stop'))
    for (const { revealed, tokens, finish } of runs) {
      assert.equal(revealed.length, tokens.length)
      assert.equal(finish === 'stop', tokens.at(-1) === TOY_STOP)
    }
  })

  /** Masks of the block of each forward, where those of `letGo` have masks that are certain. */
  const masksOf = (letGo: readonly boolean[], forwardsLeft?: number): number[] => {
    const decoder = new JobDecoder(prefix(0.1), TOY_MASK)
    decoder.demand(0)
    return letGo.map((certain) => {
      const { tail, groups } = decoder.plan(roomy())
      const masks = groups[0]!.tokens.length
      const ids = new Int32Array(1 + masks).fill(40)
      const entropies = new Float32Array(1 + masks).fill(certain ? 0 : 2)
      decoder.settle({ ids, entropies, logprobs: entropies }, forwardsLeft)
      assert.ok(tail.length > 0)
      return masks
    })
  }

  test('where no mask is let go blocks become short, until one is', () => {
    const letGo = [false, false, false, false, true, false, false, false]
    assert.deepEqual(masksOf(letGo), [8, 8, 2, 2, 2, 8, 8, 2])
    assert.deepEqual(masksOf([false, true, false, true, false, false]), Array(6).fill(8))
  })

  test('a latency budget needs all masks', () => {
    assert.deepEqual(masksOf([false, false, false, false], 60), Array(4).fill(8))
  })

  test('a latency budget reveals more than gamma allows, and says what it took', () => {
    const decoder = new JobDecoder(prefix(0.1), TOY_MASK)
    decoder.demand(0)
    decoder.plan(roomy())
    const entropies = Float32Array.of(9, 9, 0.05, 0.25, 2, 2, 2, 2, 2)
    const ids = Int32Array.from(entropies, (_, row) => 40 + row)
    const logprobs = entropies.map(() => -1)
    // 64 tokens in 16 forwards: this one and the 15 that are left.
    const { reveal, gamma } = decoder.settle({ ids, entropies, logprobs }, 15)
    assert.deepEqual(reveal?.tokenIds, [40, 42, 43, 44])
    assert.ok(Math.abs(gamma! - 2.3) < 1e-6)
  })
})

describe('what reveals report', () => {
  for (const mode of ['ntp', 'verified', 'sbd'] as const) {
    for (const temperature of [0, 0.9]) {
      test(`${mode} at temperature ${temperature}: raw figures of each token`, async () => {
        const shape = { decoding: { mode }, sampling: { temperature } }
        const silent = await run(makeJob(shape))
        assert.ok(silent.reveals.every(({ entropies }) => entropies === undefined))
        assert.ok(silent.reveals.every(({ logprobs }) => logprobs === undefined))
        const told = await run(makeJob({ ...shape, entropies: true, logprobs: 3 }))
        assert.deepEqual(told.tokens, silent.tokens)
        let others = 0
        for (const { tokenIds, entropies, logprobs } of told.reveals) {
          assert.equal(entropies?.length, tokenIds.length)
          for (const [index, { logprob, top }] of logprobs!.entries()) {
            const chosen = top.find(({ tokenId }) => tokenId === tokenIds[index])
            assert.ok(logprob <= top[0]!.logprob && Number.isFinite(logprob))
            if (chosen !== undefined) assert.equal(logprob, chosen.logprob)
            if (chosen !== top[0]) others += 1
            assert.deepEqual(
              top.map((candidate) => candidate.logprob),
              [0, 1, 2].map((rank) => top[0]!.logprob - rank),
            )
          }
        }
        assert.equal(others > 0, temperature > 0)
      })
    }
  }

  test('logprobs 0 is the chosen token alone, and needs no candidates of a greedy job', async () => {
    const { reveals, topAsked } = await run(makeJob({ logprobs: 0 }))
    assert.ok(reveals.every(({ logprobs }) => logprobs!.every(({ top }) => top.length === 0)))
    assert.deepEqual(topAsked, new Set(['none']))
  })
})
