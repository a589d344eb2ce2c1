import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ANSWER, START } from './testing/scripted-server.ts'
import { TokenBoard } from './token-board.ts'

test('places fill up, holes in between are seen until they are filled', () => {
  const board = new TokenBoard()
  const drawn = ANSWER.map((event) => {
    board.apply(event)
    const text = board.tokens.map((token) => (token.revealed ? `${token.text}/${token.step}` : '_'))
    return `${text.join('')} ${board.frontier}`
  })
  const [half, whole] = ['one/0_ three/0 1', 'one/0 two/1 three/0 3']
  assert.deepEqual(drawn, [' 0', half, half, whole, whole, whole])
})

test('in whatever order tokens come, every place knows its own, and none before the frontier is empty', () => {
  const order = fc.uniqueArray(fc.nat(30), { maxLength: 31 })
  fc.assert(
    fc.property(order, (positions) => {
      const board = new TokenBoard()
      board.apply(START)
      for (const [step, index] of positions.entries()) {
        const before = board.tokens
        const copy = [...before]
        const position = START.prompt_tokens + index
        const tokens = [{ position, id: index, text: String(index) }]
        board.apply({ type: 'reveal', block: 0, step, positions: [position], tokens })
        assert.deepEqual(before, copy, 'an array given out before has changed')
      }
      assert.equal(board.tokens.length, Math.max(-1, ...positions) + 1)
      for (const [index, token] of board.tokens.entries()) {
        assert.equal(token.position, START.prompt_tokens + index)
        assert.equal(token.revealed, positions.includes(index))
        if (token.revealed) assert.equal(token.step, positions.indexOf(index))
        if (index < board.frontier) assert.ok(token.revealed)
      }
      assert.notEqual(board.tokens[board.frontier]?.revealed, true)
    }),
  )
})
