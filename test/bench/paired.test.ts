import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Contender, Generation, Request } from './contender.ts'
import { runPaired, summarise } from './paired.ts'

const generation = (tokenIds: number[], wallMs: number): Generation => ({
  tokenIds,
  ttftMs: 1,
  wallMs,
})
const request = (id: number): Request => ({ tokenIds: [id], maxTokens: 1, stopTokenIds: [] })

test('contenders take turns, and each request is begun by another one', async () => {
  const order: string[] = []
  const contender = (name: string): Contender => ({
    name,
    generate: ({ tokenIds: [id] }) => {
      order.push(`${name}${id}`)
      return Promise.resolve(generation([1], 2))
    },
  })
  const results = await runPaired([contender('a'), contender('b')], [request(0), request(1)], 1)
  assert.deepEqual(order, ['a0', 'b0', 'b1', 'a1'])
  assert.equal(results.get('a')?.[0]?.length, 2)
})

test('a slow round does not enter the summary', () => {
  const rounds = [[generation([1, 2], 3)], [generation([1, 2], 3)], [generation([1, 2], 300)]]
  const { tokensPerSecond, decodeTokensPerSecond, ttftMs } = summarise(rounds, rounds)
  assert.equal(tokensPerSecond, 666.7)
  assert.equal(decodeTokensPerSecond, 500)
  assert.equal(ttftMs, 1)
})

test('a summary counts the texts that are the baseline’s and compares speeds in pairs', () => {
  const baseline = [[generation([1, 2], 4), generation([1, 2], 40)]]
  const own = [[generation([1, 2], 2), generation([1, 3], 20)]]
  const { sameText, speedup } = summarise(own, baseline)
  assert.equal(sameText, 0.5)
  assert.equal(speedup, 2)
})
