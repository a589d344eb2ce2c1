import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readScreen } from './screen.ts'

test('a screen is as large as the terminal says, and of a usual size where it says nothing', () => {
  const usual = { columns: 80, rows: 24 }
  const sizes = (output: Parameters<typeof readScreen>[0]) => {
    const { columns, rows } = readScreen(output, {})
    return { columns, rows }
  }
  assert.deepEqual(sizes({ columns: 132, rows: 50, isTTY: true }), { columns: 132, rows: 50 })
  assert.deepEqual(sizes({}), usual)
  // As in a container that was given a terminal without a size.
  assert.deepEqual(sizes({ columns: 0, rows: 0, isTTY: true }), usual)
})

test('colours are for terminals that have them, unless nobody wants them', () => {
  const terminal = { columns: 80, rows: 24, isTTY: true }
  assert.equal(readScreen(terminal, { TERM: 'xterm' }).colour, true)
  assert.equal(readScreen(terminal, { TERM: 'dumb' }).colour, false)
  assert.equal(readScreen(terminal, { NO_COLOR: '1' }).colour, false)
  assert.equal(readScreen({}, { TERM: 'xterm' }).colour, false)
})
