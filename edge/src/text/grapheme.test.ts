import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unfinishedTail } from './grapheme.ts'

test('an emoji may go on, and half a flag will', () => {
  const cases: [text: string, tail: string][] = [
    ['', ''],
    ['plain', ''],
    ['é', ''],
    ['a 👩', '👩'],
    ['a 👩🏽', '👩🏽'],
    ['a 👩 ', ''],
    ['a 👩\u200D', '👩\u200D'],
    ['a 👩\u200D🚀', '👩\u200D🚀'],
    ['a 👩\u200D🚀\u200D', '👩\u200D🚀\u200D'],
    ['to 🇫', '🇫'],
    ['to 🇫🇷', ''],
    ['to 🇫🇷🇩', '🇩'],
  ]
  for (const [text, tail] of cases) assert.equal(unfinishedTail(text), tail.length, text)
})

test('no text is withheld for ever', () => {
  assert.equal(unfinishedTail('👩\u200D'.repeat(100)), 0)
})
