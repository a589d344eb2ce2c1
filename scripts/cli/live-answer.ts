import { TokenBoard, type GenerationEvent } from '@setblock/client'
import type { Screen } from './screen.ts'
import { textWidth, toPrintable } from './terminal-text.ts'

const ESC = '\u001B'
const ERASE_BELOW = `${ESC}[J`
const SAVE_CURSOR = `${ESC}7`
const RESTORE_CURSOR = `${ESC}8`
/** Down one line in the same column; at the bottom of the screen it scrolls. */
const INDEX = `${ESC}D`
const RESET = `${ESC}[0m`
const DIM = `${ESC}[2m`
/** Foreground colours of the forward passes, in turn. */
const PASS_COLOURS = [36, 33, 35, 32, 94, 91]

const HOLE = '\u2591'
const NEWLINE_SIGN = '\u23CE'

/**
 * Draws an answer as it fills up. What is below the frontier is printed for good; what is above it, holes included, is
 * drawn behind, with the cursor left at the frontier, and drawn anew with every event. Pure: it gives what to write.
 */
export class LiveAnswer {
  readonly #board = new TokenBoard()
  readonly #screen: () => Screen
  /** Of the cursor, from 0. Always less than the screen has, so no wrap is ever pending. */
  #column = 0
  /** Tokens that are printed for good. */
  #printed = 0
  #step = 0

  constructor(screen: () => Screen) {
    this.#screen = screen
  }

  draw(event: GenerationEvent): string {
    this.#board.apply(event)
    switch (event.type) {
      case 'start':
        return ''
      case 'reveal':
        this.#step = event.step
        return ERASE_BELOW + this.#above()
      case 'text':
        return ERASE_BELOW + this.#print(event.delta) + this.#above()
      case 'end':
        return this.close()
    }
  }

  /** Wipes what was not final, and ends the line. */
  close(): string {
    const newline = this.#column > 0 ? '\r\n' : ''
    this.#column = 0
    return ERASE_BELOW + newline
  }

  /** Text that has become final, in the colours of the tokens that spell it. */
  #print(delta: string): string {
    const { tokens, frontier } = this.#board
    const passed = tokens.slice(this.#printed, frontier).filter((token) => token.revealed)
    this.#printed = frontier
    const spelled = passed.map(({ text }) => text).join('') === delta
    // A character spread over tokens, or text held back for a stop string: no telling whose is what.
    const pieces = spelled ? passed : [{ text: delta, step: this.#step }]
    return pieces.map(({ text, step }) => this.#coloured(this.#flow(text), step)).join('')
  }

  /** Breaks lines itself, so that the column is known. */
  #flow(text: string): string {
    const { columns } = this.#screen()
    let out = ''
    for (const character of toPrintable(text)) {
      const width = textWidth(character)
      if (character === '\n' || this.#column + width > columns) out += this.#newline()
      if (character === '\n') continue
      out += character
      this.#column += width
      if (this.#column >= columns) out += this.#newline()
    }
    return out
  }

  #newline(): string {
    this.#column = 0
    return '\r\n'
  }

  /** Tokens above the frontier and the holes between them; the cursor stays at the frontier. */
  #above(): string {
    const { columns, rows } = this.#screen()
    const roomMax = columns * (rows - 2) - this.#column
    let width = 0
    let drawn = ''
    for (const token of this.#board.tokens.slice(this.#board.frontier)) {
      const text = token.revealed ? toPrintable(token.text).replaceAll('\n', NEWLINE_SIGN) : HOLE
      width += textWidth(text)
      if (width > roomMax) break
      drawn += token.revealed ? this.#coloured(text, token.step) : text
    }
    if (drawn === '') return ''
    const lines = Math.floor((this.#column + width) / columns)
    const room = lines === 0 ? '' : INDEX.repeat(lines) + `${ESC}[${lines}A`
    return room + SAVE_CURSOR + drawn + RESTORE_CURSOR
  }

  #coloured(text: string, step: number): string {
    if (!this.#screen().colour || text === '') return text
    return `${ESC}[${PASS_COLOURS[step % PASS_COLOURS.length]}m${text}${RESET}`
  }
}

export function dim(text: string, { colour }: Screen): string {
  return colour ? `${DIM}${text}${RESET}` : text
}
