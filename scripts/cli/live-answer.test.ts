import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { GenerationEvent } from '@setblock/client'
import * as fc from 'fast-check'
import { LiveAnswer } from './live-answer.ts'
import { textWidth } from './terminal-text.ts'

const [COLUMNS, ROWS] = [10, 6]
/** An escape sequence of the drawing, or one character. */
// oxlint-disable-next-line no-control-regex
const PART = /\u001B(?:\[\d*[A-Za-z]|[78D])|[^]/gu

/** As much of a terminal as the drawing needs; it throws at anything else. */
class Terminal {
  readonly lines: string[][] = [[]]
  row = 0
  column = 0
  #saved = { row: 0, column: 0 }

  write(text: string): void {
    for (const [part] of text.matchAll(PART)) this.#take(part)
  }

  #take(part: string): void {
    if (part === '\r') this.column = 0
    else if (part === '\n' || part === '\u001BD') this.#down()
    else if (part === '\u001B7') this.#saved = { row: this.row, column: this.column }
    else if (part === '\u001B8') Object.assign(this, this.#saved)
    else if (part === '\u001B[J') this.#eraseBelow()
    else if (part.endsWith('A')) this.row -= Number(part.slice(2, -1))
    else if (!part.endsWith('m') || part.length === 1) this.#put(part)
    assert.ok(this.row >= 0 && this.lines.length - this.row <= ROWS, 'the cursor left the screen')
  }

  #put(character: string): void {
    assert.doesNotMatch(character, /\p{Cc}/u)
    if (this.column >= COLUMNS) {
      this.column = 0
      this.#down()
    }
    const line = (this.lines[this.row] ??= [])
    while (line.length < this.column) line.push(' ')
    line[this.column] = character
    this.column += 1
  }

  #down(): void {
    this.row += 1
    this.lines[this.row] ??= []
  }

  #eraseBelow(): void {
    this.lines[this.row]?.splice(this.column)
    this.lines.splice(this.row + 1)
  }

  get text(): string {
    return this.lines.map((line) => line.join('')).join('\n')
  }
}

/** What a text looks like in lines of the terminal's width. */
function flowed(text: string): string {
  const lines = text.split('\n').map((line) => line.match(/.{1,10}/gu) ?? [''])
  return lines.flat().join('\n')
}

const START = { type: 'start', prompt_tokens: 5 } as GenerationEvent

/** Events that reveal the tokens in the given order, with the text below the frontier as it grows. */
function* eventsOf(tokens: readonly string[], order: readonly number[]) {
  const known = new Set<number>()
  let frontier = 0
  yield { event: START, shown: '' }
  for (const [step, index] of order.entries()) {
    const token = { position: 5 + index, id: index, text: tokens[index] ?? '' }
    const reveal = { type: 'reveal', block: 0, step, positions: [token.position], tokens: [token] }
    known.add(index)
    yield { event: reveal as GenerationEvent, shown: undefined }
    let delta = ''
    while (known.has(frontier)) delta += tokens[frontier++]
    const shown = tokens.slice(0, frontier).join('')
    const rest = tokens.slice(frontier, Math.max(...known) + 1)
    const above = rest.map((text, at) => (known.has(frontier + at) ? text : '\u2591')).join('')
    if (delta !== '')
      yield { event: { type: 'text', delta } as GenerationEvent, shown: shown + above }
  }
}

test('whatever the order of the tokens, the screen shows the text, and behind it what is revealed with its holes', () => {
  const word = fc.stringMatching(/^ ?[a-z]{1,4}$/)
  const tokens = fc.array(word, { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(tokens, fc.infiniteStream(fc.nat(1000)), fc.boolean(), (words, random, colour) => {
      const order = [...words.keys()]
      order.sort(() => (random.next().value % 2) - 0.5)
      const terminal = new Terminal()
      const live = new LiveAnswer(() => ({ columns: COLUMNS, rows: ROWS, colour }))
      for (const { event, shown } of eventsOf(words, order)) {
        terminal.write(live.draw(event))
        if (shown !== undefined) assert.equal(terminal.text.trimEnd(), flowed(shown).trimEnd())
      }
      terminal.write(live.close())
      assert.equal(terminal.text.trimEnd(), flowed(words.join('')).trimEnd())
      assert.equal(terminal.column, 0)
    }),
  )
})

test('tokens have the colour of their forward pass, and none without colour', () => {
  const draw = (colour: boolean): string => {
    const live = new LiveAnswer(() => ({ columns: 80, rows: 24, colour }))
    return [...eventsOf(['a', 'b', 'c'], [0, 2, 1])].map(({ event }) => live.draw(event)).join('')
  }
  const coloured = draw(true)
  assert.ok(coloured.includes('\u001B[36ma\u001B[0m'))
  assert.ok(coloured.includes('\u001B[35mb\u001B[0m\u001B[33mc\u001B[0m'))
  assert.ok(!/\[\d+m/.test(draw(false)))
})

test('text cannot steer the terminal', () => {
  const live = new LiveAnswer(() => ({ columns: 80, rows: 24, colour: false }))
  live.draw(START)
  const drawn = live.draw({ type: 'text', delta: 'a\u001B[2Jb\u009B1mc\u0007\td\r\ne' })
  assert.equal(stripVTControlCharacters(drawn), 'a\uFFFD[2Jb\uFFFD1mc\uFFFD  d\r\ne')
})

test('columns of a text', () => {
  assert.equal(textWidth('abc'), 3)
  assert.equal(textWidth('日本'), 4)
  assert.equal(textWidth('é'), 1)
  assert.equal(textWidth('e\u0301'), 1)
  assert.equal(textWidth('🦊'), 2)
})
