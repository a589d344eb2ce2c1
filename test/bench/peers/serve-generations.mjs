/**
 * The loop that both peers run in: one JSON request a line on standard input, one JSON answer a line on standard output.
 * Times are taken here, around the peer's own API, so that no pipe is measured.
 *
 * @typedef {{ tokenIds: number[], maxTokens: number, stopTokenIds: number[] }} Request
 * @typedef {{ generate(request: Request): AsyncIterable<number>, facts: Record<string, unknown> }} Peer
 */
import { createInterface } from 'node:readline'

/** @param {Peer} peer */
export async function serveGenerations(peer) {
  const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)
  send({ ready: peer.facts })
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    const tokenIds = []
    const startedMs = performance.now()
    let firstMs = startedMs
    for await (const tokenId of peer.generate(request)) {
      if (tokenIds.length === 0) firstMs = performance.now()
      tokenIds.push(tokenId)
    }
    const endedMs = performance.now()
    send({ tokenIds, ttftMs: firstMs - startedMs, wallMs: endedMs - startedMs })
  }
  process.exit(0)
}
