import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stepChat, toMessages } from './chat.ts'
import { keyInFragment, maskKey } from './key.ts'
import { NEW_RUN } from './run.ts'
import { changeSettings, DEFAULT_SETTINGS, reproduce, toBody } from './settings.ts'

const messages = [{ role: 'user' as const, content: 'hi' }]
const body = (change: Partial<typeof DEFAULT_SETTINGS>) =>
  toBody({ ...DEFAULT_SETTINGS, ...change }, { model: 'm', messages })

test('moving γ selects the mode in which it means something', () => {
  const ntp = changeSettings(DEFAULT_SETTINGS, { mode: 'ntp' })
  assert.equal(changeSettings(ntp, { gamma: 0.6 }).mode, 'sbd')
  assert.equal(changeSettings(ntp, { temperature: 1 }).mode, 'ntp')
})

test('a body holds what is in force and nothing that the API would refuse', () => {
  const all = { blockLength: 8, rule: 'strict', temperature: 0.7, seed: 3 } as const
  const common = { model: 'm', messages, max_tokens: 200, temperature: 0.7, seed: 3 }
  const form = { stream: true, reveals: true }
  assert.deepEqual(body({ ...all, mode: 'ntp' }), { ...common, mode: 'ntp', ...form })
  assert.deepEqual(body({ ...all, mode: 'verified' }), {
    ...common,
    mode: 'verified',
    block_length: 8,
    ...form,
  })
  assert.deepEqual(body({ ...all, mode: 'sbd' }), {
    ...common,
    mode: 'sbd',
    gamma: 0.35,
    block_length: 8,
    rule: 'strict',
    ...form,
  })
})

test('a sampled run is repeated with its own seed; a greedy one needs none', () => {
  assert.equal(reproduce(body({ temperature: 0.7 }), 99).seed, 99)
  assert.equal('seed' in reproduce(body({}), 99), false)
})

test('earlier turns are said again, without those that said nothing', () => {
  let turns = stepChat([], { type: 'send', prompt: 'a', body: body({}) })
  turns = stepChat(turns, { type: 'stopped' })
  turns = [...turns, { id: 2, prompt: 'b', body: body({}), events: [], run: NEW_RUN }]
  turns = turns.map((turn) =>
    turn.id === 2 ? { ...turn, run: { ...NEW_RUN, status: 'done', text: 'B' } } : turn,
  )
  assert.deepEqual(toMessages(turns, 'c'), [
    { role: 'user', content: 'b' },
    { role: 'assistant', content: 'B' },
    { role: 'user', content: 'c' },
  ])
})

test('a key is read from a fragment, and shown so that it cannot be used', () => {
  assert.equal(keyInFragment('#key=sb-demo-1'), 'sb-demo-1')
  assert.equal(keyInFragment('#key=%20'), undefined)
  assert.equal(keyInFragment('#other'), undefined)
  assert.equal(maskKey('sb-demo-CwfBhDK1Yuv'), 'sb-…1Yuv')
  assert.equal(maskKey('short'), '…')
})
