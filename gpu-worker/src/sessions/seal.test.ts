import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seal, tenantKey, unseal } from './seal.ts'

const label = { kind: 'kv', name: 'kv/a/b', graph: 'g1', values: 64 }
const data = Uint8Array.from({ length: 100 }, (_, index) => index)
const masterKey = new Uint8Array(32).fill(7)
const key = tenantKey(masterKey, 'one')

for (const [how, secret] of [
  ['plain', undefined],
  ['encrypted', key],
] as const) {
  test(`${how}: what was sealed comes back under the same label`, () => {
    const opened = unseal(seal(label, data, secret), label, secret)
    assert.ok(typeof opened !== 'string')
    assert.deepEqual(new Uint8Array(opened), data)
  })

  test(`${how}: any flipped bit is corrupt, and so is any cut`, () => {
    const sealed = seal(label, data, secret)
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const torn = Buffer.from(sealed)
      torn[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(unseal(torn, label, secret), 'corrupt', `bit ${bit}`)
    }
    for (let length = 0; length < sealed.length; length += 1) {
      assert.equal(unseal(sealed.subarray(0, length), label, secret), 'corrupt', `${length} bytes`)
    }
  })

  test(`${how}: another label is a mismatch, field by field`, () => {
    const sealed = seal(label, data, secret)
    for (const other of [
      { ...label, name: 'kv/a/c' },
      { ...label, graph: 'g2' },
      { ...label, values: 65 },
      { ...label, more: 1 },
      { kind: 'kv' },
    ]) {
      assert.equal(unseal(sealed, other, secret), 'mismatch', JSON.stringify(other))
    }
  })
}

test('another key, no key, or a key where there was none opens nothing', () => {
  const other = tenantKey(masterKey, 'two')
  assert.equal(unseal(seal(label, data, key), label, other), 'mismatch')
  assert.equal(unseal(seal(label, data, key), label), 'mismatch')
  assert.equal(unseal(seal(label, data), label, key), 'mismatch')
})

test('encrypted data does not show, and no two seals are alike', () => {
  const text = Buffer.from('a secret that must not show')
  const sealed = seal(label, text, key)
  assert.equal(sealed.includes(text), false)
  assert.notDeepEqual(sealed, seal(label, text, key))
})
