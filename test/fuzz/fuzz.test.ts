import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runFuzz, toBytes, toText, type Target } from './run-fuzz.ts'
import { allTargets } from './targets.ts'

const CASES_EACH = 150

test('every parser takes or properly refuses what is nearly right', async () => {
  const targets = await allTargets()
  const { counts, findings } = await runFuzz(targets, { casesEach: CASES_EACH, seed: 5 })
  assert.deepEqual(findings, [])
  for (const { name } of targets) {
    assert.ok(counts[name]!.taken > 0, `${name} takes nothing`)
    assert.ok(counts[name]!.refused > 0 || name.includes('SSE'), `${name} refuses nothing`)
  }
})

test('a parser that throws, lets something through or pollutes is found, by input and seed', async () => {
  const bad: Target[] = [
    {
      name: 'throws',
      examples: [toBytes('good')],
      read: (bytes) => {
        if (toText(bytes) !== 'good') throw new TypeError('unexpected')
        return true
      },
    },
    {
      name: 'pollutes',
      examples: [toBytes('{"__proto__":1}')],
      read: () => {
        Object.assign(Object.prototype, { polluted: 1 })
        return true
      },
    },
  ]
  try {
    const { findings } = await runFuzz(bad, { casesEach: 20, seed: 1 })
    assert.deepEqual(new Set(findings.map(({ target }) => target)), new Set(['throws', 'pollutes']))
  } finally {
    delete (Object.prototype as { polluted?: number }).polluted
  }
  const [throwing] = bad
  const [once, again] = [
    await runFuzz([throwing!], { casesEach: 20, seed: 1 }),
    await runFuzz([throwing!], { casesEach: 20, seed: 1 }),
  ]
  assert.deepEqual(
    once.findings.map(({ inputBase64 }) => inputBase64),
    again.findings.map(({ inputBase64 }) => inputBase64),
  )
})
