import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { accepts, randomText, startOf, stepsOf, takes } from '../../testing/schema-texts.ts'
import type { JsonState } from '../json-state.ts'

/** A pattern, strings it matches, and strings it does not; JavaScript must say the same. */
const PATTERNS: readonly [pattern: string, matches: string[], others: string[]][] = [
  ['^abc$', ['abc'], ['ab', 'abcd', 'xabc', '']],
  ['b', ['abc', 'b', 'bb'], ['', 'ac']],
  ['^b', ['bc'], ['ab']],
  ['b$', ['ab'], ['ba', 'b\n']],
  ['', ['', 'x'], []],
  ['^$', [''], ['x']],
  ['^a$|^b$', ['a', 'b'], ['ab', 'c']],
  ['^a|b$', ['ax', 'xb'], ['xa', 'bx']],
  ['(?:x|^)a', ['a', 'xa'], ['ba']],
  ['a(?:$|-)', ['a', 'ba', 'a-b'], ['ab']],
  ['^.$', ['a', 'é', '🦊', '\t'], ['\n', '\r', '\u2028', '', 'ab']],
  ['^\\d\\D\\w\\W\\s\\S$', ['1a_- x'], ['1aaa x', 'aa_- x']],
  ['^\\s$', [' ', '\t', '\u00a0', '\u2028', '\ufeff'], ['\u200b', 'a']],
  ['^[\\w.-]+$', ['a.b-c_9'], ['a b', 'é']],
  ['^[^\\s"]$', ['a', '\\', '\u0000'], ['"', ' ']],
  ['^["\\\\]+$', ['"\\'], ['/']],
  ['^\\t\\n\\v\\f\\r\\0$', ['\t\n\v\f\r\0'], ['']],
  ['^\\x41\\u0042\\u{43}\\cA$', ['ABC\u0001'], ['ABC']],
  ['^[\\u{1F600}-\\u{1F64F}é-ü]$', ['😀', 'ê'], ['🦊', 'e']],
  ['^[^a-c]$', ['d', '🦊'], ['a', 'b']],
  ['^[^]$', ['\n', 'a'], ['']],
  ['^\\u{1F98A}+$', ['🦊🦊'], ['']],
  ['^\\p{Lu}\\p{L}*$', ['Élan', 'Ж'], ['élan', 'A1']],
  ['^\\P{ASCII}$', ['é'], ['e']],
  ['^\\p{Script=Greek}$', ['λ'], ['l']],
  ['^(a)(?:b)(?<name>c)$', ['abc'], ['ab']],
  ['^(?:apple|pear|)$', ['apple', 'pear', ''], ['app']],
  ['^a?b*c+?d{2}e{1,2}f{0,}g{2,}?$', ['cddegg', 'abbccddeefgg'], ['cdegg', 'cddg']],
  ['^(?:(?:ab?)*c?)*$', ['', 'abac', 'ccab'], ['bb']],
  ['^a{0}$', [''], ['a']],
  ['^(?!\\.)(?!.*\\.\\.)[a.]+$', ['a.a', 'a.'], ['.a', 'a..a']],
  ['^(?=.*\\d)(?=.*[A-Z]).{4,6}$', ['aB1c', '1B--'], ['abcd', 'AB12345', 'A1']],
  ['^(?=a|b$)..?$', ['ax', 'b'], ['bx', 'cx']],
  ['^(?:(?!--).)*$', ['a-b', ''], ['a--b']],
  ['^(?:a(?!b)|b(?=c|$)|c){2,}$', ['bcb', 'aa', 'ca'], ['abc', 'bb', 'a']],
  // Of a decimal, by pydantic.
  ['^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$', ['-0.5', '12', '+.5'], ['-', '.', '', '1e5']],
  ['x(?!y)', ['x', 'xyx'], ['xy']],
  ['\\bfoo\\b', ['foo', 'a foo.', 'é foo'], ['food', 'afoo', 'fo']],
  ['^\\B-\\B$', ['-'], ['a']],
  ['a\\Bb|\\b$', ['ab', 'xa'], ['-', '']],
  ['^(?:\\b\\w+\\b ?)+$', ['a bc d', 'a'], ['', ' a', '- a']],
  ['^(?:\\ba|-\\b)*$', ['a-a', ''], ['aa', '-']],
  ['^\\/[\\]\\-\\^]\\.\\$\\{\\}$', ['/-.${}', '/].${}'], ['/a.${}']],
]

test('patterns take what they match and nothing else, each as JavaScript does', () => {
  for (const [pattern, matches, others] of PATTERNS) {
    const expression = new RegExp(pattern, 'u')
    for (const text of [...matches, ...others]) {
      const expected = matches.includes(text)
      assert.equal(expression.test(text), expected, `${pattern}: ${text} by JavaScript`)
      assert.equal(accepts({ pattern }, JSON.stringify(text)), expected, `${pattern}: ${text}`)
    }
  }
})

test('punctuation may be escaped without need', () => {
  const schema = { pattern: '^\\d{3}\\-\\d{2}\\@\\"\\#\\ [\\_\\-\\:]$' }
  assert.ok(accepts(schema, JSON.stringify('123-45@"# -')))
  assert.ok(!accepts(schema, JSON.stringify('123-45@"# \\')))
})

test('a string that goes on alike is one state, as without a pattern', () => {
  for (const pattern of ['^[a-z ]*$', 'a', '^(?!.*--).*$']) {
    const inside = [0x22, 0x61].reduce<JsonState | undefined>(
      (at, byte) => at?.step(byte),
      startOf({ pattern }),
    )
    assert.equal(inside?.step(0x62), inside, pattern)
  }
})

test('lengths and several patterns hold together', () => {
  const schema = { allOf: [{ pattern: '^a' }, { pattern: 'b$' }], minLength: 3, maxLength: 4 }
  for (const [text, valid] of [
    ['a🦊b', true],
    ['axxb', true],
    ['ab', false],
    ['axxxb', false],
    ['axx', false],
  ] as const) {
    assert.equal(accepts(schema, JSON.stringify(text)), valid, text)
  }
})

test('a lookahead that counts to the end is a bound of the length', () => {
  for (const [pattern, matches, others] of [
    ['^(?=.{2,3}$)[a-z]+$', ['ab', 'abc'], ['a', 'abcd']],
    ['^(?=.*b)(?=[^c]{0,3}$)(?!a)', ['b', 'bxx'], ['ab', 'bxxx', 'bc', 'xxx']],
    ['^(?=a{2,4}b?$).*$', ['aa', 'aaaa'], ['a', 'aaaaa', 'ba']],
    ['^(?=.{3}$)', ['abc'], ['ab', 'abcd']],
    // These count something else, so their ends are kept in the states.
    ['^(?:a|(?=.{2}$))b*', ['abbb', 'bb', 'xx'], ['bbb']],
    ['(?=.{2}$)b', ['xbx', 'bx'], ['bxx']],
    ['^(?!.{2,3}$)a*$', ['a', 'aaaa', ''], ['aa', 'aaa']],
    ['^(?=.{1,2}b$)', ['ab', 'aab'], ['b', 'aaab']],
  ] as [string, string[], string[]][]) {
    const expression = new RegExp(pattern, 'u')
    for (const text of [...matches, ...others]) {
      const expected = matches.includes(text)
      assert.equal(expression.test(text), expected, `${pattern}: ${text} by JavaScript`)
      assert.equal(accepts({ pattern }, JSON.stringify(text)), expected, `${pattern}: ${text}`)
    }
  }
  // Zod's hostname: a hundred states and a count, where the states of both together are tens of thousands.
  const pattern =
    '^(?=.{1,253}\\.?$)[a-z](?:[a-z-]{0,61}[a-z])?(?:\\.[a-z](?:[a-z-]{0,61}[a-z])?)*\\.?$'
  assert.ok(accepts({ pattern }, JSON.stringify(`${'a.'.repeat(126)}a`)))
  assert.ok(!accepts({ pattern }, JSON.stringify(`${'a.'.repeat(127)}a`)))
})

test('a character is written in one way', () => {
  const schema = { pattern: '^["\\\\/\\n\\u0001é]+$' }
  for (const valid of ['"\\""', '"\\\\"', '"/"', '"\\n"', '"\\u0001"', '"é"']) {
    assert.ok(accepts(schema, valid), valid)
  }
  for (const invalid of [
    '"\\/"',
    '"\\u000a"',
    '"\\u00e9"',
    '"\\u0022"',
    '"\n"',
    '"\\U0001"',
    '"""',
  ]) {
    assert.ok(!accepts(schema, invalid), invalid)
  }
})

test('bytes that begin no character of the pattern are refused at once', () => {
  const after = (pattern: string, ...bytes: number[]): JsonState | undefined =>
    bytes.reduce<JsonState | undefined>(
      (at, byte) => at?.step(byte),
      startOf({ pattern }).step(0x22),
    )
  assert.ok(after('^[é🦊]$', 0xc3, 0xa9))
  assert.ok(after('^[é🦊]$', 0xf0, 0x9f, 0xa6, 0x8a))
  for (const bytes of [[0xc3, 0xa8], [0xc2], [0xf0, 0x9f, 0xa5], [0xf1], [0x80], [0xff]]) {
    assert.equal(after('^[é🦊]$', ...bytes), undefined, String(bytes))
  }
  for (const bytes of [
    [0xc0],
    [0xc1],
    [0xe0, 0x80],
    [0xed, 0xa0],
    [0xf0, 0x80],
    [0xf4, 0x90],
    [0xf5],
    [0xf8],
    [0xff],
  ]) {
    assert.equal(after('^[^a]$', ...bytes), undefined, String(bytes))
  }
  assert.equal(after('^🦊$', 0xf0)?.only, 0x9f)
  assert.equal(after('^[é-ü]$')?.only, 0xc3)
  assert.equal(after('^\n?$')?.only, undefined)
  assert.equal(after('^\\n$')?.only, 0x5c)
  assert.equal(after('^a$', 0x61)?.only, 0x22)
})

test('what is not regular, no expression, or has no string is refused by its place', () => {
  const cases: [object, RegExp][] = [
    [{ pattern: '(a)\\1' }, /a backreference is not supported at \/items\/pattern$/],
    [{ pattern: '(?<x>a)\\k<x>' }, /a backreference is not supported/],
    [{ pattern: '(?<=a)b' }, /a lookbehind is not supported/],
    [{ pattern: '(?:\\b|^)*' }, /endless repetition of what may be empty and looks around/],
    [{ pattern: '(' }, /is no regular expression \(Unterminated group\)/],
    [{ pattern: 'a**' }, /is no regular expression/],
    [{ pattern: '[b-a]' }, /is no regular expression/],
    [{ pattern: '\\p{Nothing}' }, /is no regular expression/],
    [{ pattern: '\\i' }, /is no regular expression/],
    [{ pattern: 'a^' }, /no string satisfies pattern, format and length together at \/items$/],
    [{ pattern: '[]' }, /no string/],
    [{ pattern: '\\ud800' }, /no string/],
    [{ pattern: '^a{3}$', maxLength: 2 }, /no string/],
    [{ pattern: '^a{3}$', minLength: 4 }, /no string/],
    [{ allOf: [{ pattern: '^a$' }, { pattern: '^b$' }] }, /no string/],
    [{ pattern: 1 }, /must be a string at \/items\/pattern$/],
    [{ allOf: [{ pattern: '(a)\\1' }] }, /at \/items\/allOf\/0\/pattern$/],
  ]
  for (const [items, message] of cases) {
    assert.throws(() => startOf({ items }), { code: 'invalid_request', message })
  }
})

/** Loops inside loops, each with parts that may be empty. */
function loops(count: number, parts: number): string {
  return Array.from({ length: count }).reduce<string>(
    (inner) => `(?:${'a?\\b'.repeat(parts)}${inner}x)*`,
    'z',
  )
}

test('patterns that would take too much to follow are refused', () => {
  const hostile: [string, RegExp][] = [
    ['(a|b)*a(a|b){20}', /too much work/],
    ['^(((a{100}){100}){100})$', /too many states|too much work/],
    ['^(?:[ab]{1000}){1000}$', /too many states|too much work/],
    ['x.*y.*z.*w.*[^q]{30}q.{30}r', /too many states|too much work/],
    ['^(?:(?=a)[ab]){65}$', /more than 64 times/],
    [`^${'(?:'.repeat(300)}a${')'.repeat(300)}$`, /more than 256 groups/],
    [`^${loops(10, 90)}$`, /nested too deeply/],
    [`^${loops(100, 8)}$`, /nested too deeply|too much work/],
    [`^${'(?:'.repeat(6)}^${'){64}'.repeat(6)}`, /too much work/],
    ['a'.repeat(5000), /more than 4096 characters/],
    [`^${'a?\\b'.repeat(900)}$`, /nested too deeply|too much work/],
    [
      ['L', 'M', 'N', 'P', 'S'].map((name) => `\\p{${name}}\\P{${name}}`).join(''),
      /more than 8 Unicode/,
    ],
  ]
  for (const [pattern, message] of hostile) assert.throws(() => startOf({ pattern }), { message })
  // All patterns of a schema share what they may take.
  const many = Array.from({ length: 9 }, (_, index) => [
    `p${index}`,
    { pattern: `(a|b)*a(a|b){11}c{${index}}$` },
  ])
  assert.throws(() => startOf({ properties: Object.fromEntries(many) }), {
    message: /too much work/,
  })
  startOf({ properties: Object.fromEntries(many.slice(0, 1)) })
})

const letter = fc.constantFrom('a', 'b', 'é', '🦊', '"', '\n', ' ', '-', '0')
const inClass = fc.constantFrom('a', 'b-é', '\\d', '\\W', '🦊', '"', '\\n', '\\-', '\\s')
const classes = fc
  .tuple(fc.boolean(), fc.array(inClass, { minLength: 1, maxLength: 3 }))
  .map(([negate, parts]) => `[${negate ? '^' : ''}${parts.join('')}]`)
const repeats = fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,3}?', '{2,}', '*?')
const edges = fc.constantFrom('^', '$', '\\b', '\\B')

/** Regular expressions of every construct; repetitions of what looks around have an end. */
const patternArbitrary = fc.letrec<{ any: string; plain: string }>((tie) => {
  const joined = (of: fc.Arbitrary<string>) =>
    fc.array(of, { maxLength: 3 }).map((all) => all.join(''))
  const leaf = fc.oneof(letter, classes, fc.constantFrom('.', '\\w', '\\S', '\\u{1F98A}', '\\n'))
  const group = (of: fc.Arbitrary<string>) =>
    fc.array(joined(of), { minLength: 1, maxLength: 3 }).map((all) => `(?:${all.join('|')})`)
  return {
    plain: fc.oneof(
      { maxDepth: 2, depthSize: 'xsmall' },
      leaf,
      group(tie('plain')),
      fc.tuple(fc.oneof(leaf, group(tie('plain'))), repeats).map((both) => both.join('')),
    ),
    any: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      tie('plain'),
      edges,
      joined(tie('any')),
      group(tie('any')),
      fc
        .tuple(group(tie('any')), fc.constantFrom('?', '{2}', '{0,2}'))
        .map((both) => both.join('')),
      fc
        .tuple(leaf, fc.constantFrom('(?!', '(?='), tie('plain'))
        .map(([a, b, c]) => `(?:${b}${c})${a})*`),
      fc
        .tuple(fc.constantFrom('(?=', '(?!'), joined(tie('any')))
        .map((both) => `${both.join('')})`),
    ),
  }
}).any

const wordArbitrary = fc.array(letter, { maxLength: 6 }).map((letters) => letters.join(''))

/** Whether JavaScript finds the pattern at a character. Its own search also looks between the halves of a pair. */
function isFound(pattern: string, text: string): boolean {
  const expression = new RegExp(pattern, 'uy')
  let at = 0
  return [...Array.from(text), ''].some((character) => {
    expression.lastIndex = at
    at += character.length
    return expression.test(text)
  })
}

test('any pattern and any string: the same answer as JavaScript, and texts made by it are matched', () => {
  let [followed, made] = [0, 0]
  const property = fc.property(
    patternArbitrary,
    fc.array(wordArbitrary, { minLength: 8, maxLength: 8 }),
    fc.infiniteStream(fc.nat()),
    (pattern, words, random) => {
      const schema = { type: 'string', pattern }
      let start: JsonState
      try {
        start = startOf(schema)
      } catch (error) {
        if (String(error).includes('too much work')) return
        assert.match(String(error), /no string satisfies/)
        if (/^\^\(\?[=!]/.test(pattern)) return
        for (const word of words) assert.ok(!isFound(pattern, word), `${pattern}: ${word}`)
        return
      }
      followed += 1
      for (const word of words) {
        const expected = isFound(pattern, word)
        // A count in a lookahead at the start may be read more narrowly.
        if (expected && /^\^\(\?[=!]/.test(pattern)) continue
        assert.equal(takes(start, JSON.stringify(word)), expected, `${pattern}: ${word}`)
      }
      const text = randomText(start, () => random.next().value, random.next().value % 16)
      assert.ok(isFound(pattern, JSON.parse(text) as string), `${pattern}: ${text}`)
      made += 1
    },
  )
  fc.assert(property, { numRuns: 400 })
  assert.ok(followed > 200 && made > 200, `${followed} followed, ${made} texts`)
})

test('every state knows the bytes of its shortest way to an end', () => {
  const property = fc.property(patternArbitrary, fc.infiniteStream(fc.nat()), (pattern, random) => {
    let state: JsonState | undefined
    try {
      state = startOf({ type: 'string', pattern })
    } catch {
      return
    }
    for (let taken = 0; taken < 12 && !state.mustEnd; taken += 1) {
      const steps = stepsOf(state)
      assert.equal(state.least, 1 + Math.min(...steps.map(([, next]) => next.least)), pattern)
      if (state.only !== undefined)
        assert.deepEqual(
          steps.map(([byte]) => byte),
          [state.only],
        )
      state = steps[random.next().value % steps.length]![1]
    }
  })
  fc.assert(property, { numRuns: 300 })
})
