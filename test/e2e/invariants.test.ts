/** Invariants of the engine on the bundled model: the real graph, the real cache, held-out prompts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import path from 'node:path'
import type { Decoding } from '@setblock/shared'
import { repository } from '../../scripts/start/services.ts'
import { openModel, type EvalModel } from '../eval/decode.ts'
import { readItems, TASKS, type Item } from '../eval/tasks.ts'

describe('decoding the held-out tasks with the bundled model', { timeout: 300_000 }, () => {
  let model: EvalModel
  let items: Item[]
  const decoding = (change: Partial<Decoding>): Decoding => ({
    mode: 'verified',
    gamma: 0.1,
    blockLength: 8,
    rule: 'strict',
    ...change,
  })

  before(async () => {
    model = await openModel(path.join(repository, 'models', 'setblock-nano'), { threads: 1 })
    items = (await Promise.all(TASKS.map((task) => readItems(task, 6)))).flat()
  })
  after(() => model.close())

  test('verified is token for token ntp, at every draft length, in far fewer forwards', async () => {
    let [plain, fewer] = [0, 0]
    for (const [index, { prompt }] of items.entries()) {
      const ntp = await model.decode(prompt, decoding({ mode: 'ntp' }), 150)
      const blockLength = [4, 8, 16][index % 3]!
      const verified = await model.decode(prompt, decoding({ blockLength }), 150)
      assert.deepEqual(verified.tokenIds, ntp.tokenIds, prompt)
      assert.equal(ntp.forwards, ntp.tokenIds.length)
      plain += ntp.forwards
      fewer += verified.forwards
    }
    assert.ok(fewer * 2 < plain, `${fewer} forwards against ${plain}`)
  })

  test('gamma 0 reveals one token a forward; forwards fall as gamma rises', async () => {
    for (const rule of ['entropy-bound', 'strict', 'threshold', 'prefix'] as const) {
      const rates: number[] = []
      for (const gamma of [0, 0.1, 0.6, 5]) {
        let [tokens, forwards] = [0, 0]
        for (const { prompt } of items.slice(0, 24)) {
          const change = { mode: 'sbd', gamma, rule } as const
          const decoded = await model.decode(prompt, decoding(change), 40)
          tokens += decoded.tokenIds.length
          forwards += decoded.forwards
        }
        rates.push(tokens / forwards)
      }
      assert.ok(rates[0]! <= 1.1, `${rule}: ${rates.join()}`)
      assert.deepEqual(
        rates,
        [...rates].sort((a, b) => a - b),
      )
      assert.ok(rates[3]! > 2 * rates[0]!, `${rule}: ${rates.join()}`)
    }
  })
})
