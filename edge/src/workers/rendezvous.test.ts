import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rendezvousOrder } from './rendezvous.ts'

const urls = ['http://a:8788', 'http://b:8788', 'http://c:8788', 'http://d:8788']
const keys = Array.from({ length: 4000 }, (_, index) => `tenant/session-${index}`)

test('the order holds every worker once and depends on nothing but the set and the key', () => {
  for (const key of keys.slice(0, 50)) {
    const order = rendezvousOrder(urls, key)
    assert.deepEqual(order.toSorted(), urls)
    assert.deepEqual(rendezvousOrder(urls.toReversed(), key), order)
  }
})

test('sessions spread evenly over the workers', () => {
  for (const url of urls) {
    const share = keys.filter((key) => rendezvousOrder(urls, key)[0] === url).length / keys.length
    assert.ok(Math.abs(share - 1 / urls.length) < 0.03, `${url} has ${share}`)
  }
})

test('a worker that leaves moves its own sessions to the next in their order, and no others', () => {
  const [gone, ...left] = urls
  for (const key of keys) {
    const order = rendezvousOrder(urls, key)
    assert.equal(rendezvousOrder(left, key)[0], order[0] === gone ? order[1] : order[0])
  }
})
