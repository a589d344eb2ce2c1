import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { ERRORS } from '@setblock/shared'
import { Affinity } from './affinity.ts'
import { Cluster } from './cluster.ts'
import { bodyOf, CONVERSATIONS } from './conversations.ts'
import { readStream, type Seen } from './stream-client.ts'

const SESSIONS = 10
const BYTES_PER_SECOND = 1_000

test('a worker killed in the middle: its streams end in a retryable error, its sessions go on elsewhere', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'setblock-kill-'))
  const affinity = new Affinity()
  const cluster = await Cluster.start({
    root,
    workers: 2,
    sessionsFolder: path.join(root, 'sessions'),
    onRequestBytes: (seat, chunk) => affinity.see(seat, chunk),
  })
  t.after(async () => {
    await cluster.close()
    await rm(root, { recursive: true, force: true })
  })
  const key = await cluster.createKey('acme')
  const events = Array.from({ length: SESSIONS }, () => 0)
  const ask = (index: number, turn: number): Promise<Seen> => {
    const body = bodyOf(CONVERSATIONS[index]!, { session: `s${index}`, turn })
    const retryable = (code: string): boolean =>
      code in ERRORS && ERRORS[code as 'aborted'].retryable
    const onEvent = (): void => {
      events[index]! += 1
    }
    return readStream({ url: cluster.url, key, path: '/v1/generate', body, onEvent }, retryable)
  }
  const all = <Result>(work: (index: number) => Promise<Result>): Promise<Result[]> =>
    Promise.all(Array.from({ length: SESSIONS }, (_, index) => work(index)))

  const first = await all((index) => ask(index, 0))
  assert.ok(first.every(({ terminals: [last] }) => last?.kind === 'end'))

  // A narrow way keeps every stream in the middle for a while.
  const doomed = events.flatMap((_, index) => (affinity.seatOf(`s${index}`) === 0 ? [index] : []))
  const [seat] = cluster.seats
  seat!.proxy.narrow(BYTES_PER_SECOND)
  events.fill(0)
  const second = all((index) => ask(index, 1))
  while (doomed.some((index) => events[index]! < 2)) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await seat!.worker.kill()
  seat!.proxy.heal()
  const answers = await second
  const ends = answers.filter(({ terminals: [last] }) => last?.kind === 'end')
  const errors = answers.flatMap(({ terminals: [last] }) => (last?.kind === 'error' ? [last] : []))
  t.diagnostic(`${ends.length} streams went on, ${errors.length} ended in a retryable error`)
  assert.equal(ends.length + errors.length, SESSIONS)
  assert.ok(errors.length > 0, 'no stream was in the middle')
  assert.ok(errors.every(({ code, shouldRetry }) => code === 'worker_unavailable' && shouldRetry))

  // Who was told of an error asks what became of the turn: it may be whole although the answer broke.
  const versions = await all(async (index) => {
    const headers = { authorization: `Bearer ${key}` }
    const told = await fetch(`${cluster.url}/v1/sessions/s${index}`, { headers })
    return ((await told.json()) as { version: number }).version
  })
  t.diagnostic(`${versions.filter((version) => version === 1).length} turns are to be asked again`)
  const third = await all((index) => ask(index, versions[index]!))
  for (const [index, { terminals, cachedTokens }] of third.entries()) {
    const [last] = terminals
    assert.deepEqual(
      [last?.kind, last?.kind === 'end' && last.version],
      ['end', versions[index]! + 1],
    )
    assert.ok(cachedTokens !== undefined && cachedTokens > 0, 'the history was computed anew')
  }
})
