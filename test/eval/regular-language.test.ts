import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sameLanguage } from './regular-language.ts'
import { readItems } from './tasks.ts'

const same: [string, string][] = [
  ['([0-9])&(.)', '[0-9]'],
  ['(dog)|(truck)', 'truck|dog'],
  ['((.*)([a-z])){1,}', '(.*)([a-z])'],
  ['(x)+', 'x(x)*'],
  ['((a)&(b)).*(c).*', '((b)&(a)).*'],
  ['~(~(dog))', 'dog'],
  ['~((a)|(b))', '(~(a))&(~(b))'],
  ['([AEIOUaeiou])&([a-z])', '[aeiou]'],
  ['(a){0,}', '(a)*'],
  ['a|b&c', 'a|(b&c)'],
  ['ab|c', '(ab)|c'],
]
const different: [string, string][] = [
  ['((X)|(Y)){2,}', '(X)|((Y){2,})'],
  ['.*(a){2,}.*', '(.*a.*){2,}'],
  ['(~(a)).*b', '~(a.*b)'],
  ['\\b(a)|(b)\\b', '\\b((a)|(b))\\b'],
  ['.*', '~(a)'],
  ['\\ba\\b', '.a.'],
  ['(a){2,}', '(a){3,}'],
]

test('expressions of one language are the same, whatever they look like', () => {
  for (const [a, b] of same) assert.equal(sameLanguage(a, b), true, `${a} and ${b}`)
})

test('expressions of two languages differ', () => {
  for (const [a, b] of different) assert.equal(sameLanguage(a, b), false, `${a} and ${b}`)
})

test('what is no expression has no language', () => {
  for (const text of ['', '(a', 'a)', '[a', 'a{2}', 'a{,}', '*', 'a|', 'é', '\\d', '(a){99,}']) {
    assert.equal(sameLanguage(text, 'a'), undefined, text)
  }
})

test('every held-out expression has a language, and differs from that of the next one', async () => {
  const items = await readItems('regex', 100)
  const answers = [...new Set(items.map(({ answer }) => answer ?? ''))]
  for (const [index, answer] of answers.entries()) {
    assert.equal(sameLanguage(answer, answer), true, answer)
    assert.notEqual(sameLanguage(answer, answers[index + 1] ?? '.*'), undefined)
  }
})

/** An expression and its words of at most LENGTH_MAX letters of LETTERS, worked out without automata. */
interface Known {
  readonly text: string
  readonly words: ReadonlySet<string>
}

const LETTERS = ['a', 'b']
const LENGTH_MAX = 4
const ALL = words(LENGTH_MAX)

function words(length: number): string[] {
  if (length === 0) return ['']
  const shorter = words(length - 1)
  const longest = shorter.filter((word) => word.length === length - 1)
  return [...shorter, ...longest.flatMap((word) => LETTERS.map((letter) => word + letter))]
}

function joined(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  const all = [...a].flatMap((start) => [...b].map((end) => start + end))
  return new Set(all.filter((word) => word.length <= LENGTH_MAX))
}

/** Words of `count` or more of these, one after the other. */
function repeated(one: ReadonlySet<string>, count: number): Set<string> {
  let exactly: ReadonlySet<string> = new Set([''])
  for (let i = 0; i < count; i += 1) exactly = joined(exactly, one)
  let all = new Set(exactly)
  for (let i = 0; i < LENGTH_MAX; i += 1) all = new Set([...all, ...joined(all, one)])
  return all
}

const known = fc.letrec<{ tree: Known }>((tie) => {
  const pair = fc.tuple(tie('tree'), tie('tree'))
  const leaves: Known[] = [
    { text: 'a', words: new Set(['a']) },
    { text: 'b', words: new Set(['b']) },
    { text: '[ab]', words: new Set(LETTERS) },
  ]
  return {
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom(...leaves),
      pair.map(([a, b]) => ({ text: `(${a.text})(${b.text})`, words: joined(a.words, b.words) })),
      pair.map(([a, b]) => ({
        text: `(${a.text})|(${b.text})`,
        words: new Set([...a.words, ...b.words]),
      })),
      pair.map(([a, b]) => ({
        text: `(${a.text})&(${b.text})`,
        words: new Set([...a.words].filter((word) => b.words.has(word))),
      })),
      tie('tree').map((a) => ({
        text: `~(${a.text})`,
        words: new Set(ALL.filter((word) => !a.words.has(word))),
      })),
      fc.tuple(tie('tree'), fc.nat(3)).map(([a, count]) => ({
        text: `(${a.text}){${count},}`,
        words: repeated(a.words, count),
      })),
    ),
  }
}).tree

test('two expressions that differ in a short word are never called the same', () => {
  const property = fc.property(known, known, (a, b) => {
    const differs = ALL.some((word) => a.words.has(word) !== b.words.has(word))
    assert.ok(!differs || sameLanguage(a.text, b.text) === false, `${a.text} and ${b.text}`)
    assert.equal(sameLanguage(a.text, `~(~(${a.text}))`), true)
  })
  fc.assert(property, { numRuns: 200, seed: 1 })
})
