/**
 * The workers in the order in which a session should try them (rendezvous hashing): the same for
 * everyone who asks, and when a worker leaves only its own sessions move.
 */
export function rendezvousOrder(urls: readonly string[], key: string): string[] {
  const weighed = urls.map((url) => ({ url, weight: hash(`${url}\n${key}`) }))
  return weighed
    .toSorted((a, b) => b.weight - a.weight || (a.url < b.url ? -1 : 1))
    .map(({ url }) => url)
}

/** FNV-1a over UTF-16 units, mixed at the end as MurmurHash3 does: 32 bits. */
function hash(text: string): number {
  let bits = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    bits = Math.imul(bits ^ text.charCodeAt(index), 0x01000193)
  }
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
