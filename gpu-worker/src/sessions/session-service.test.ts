import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { ApiError, limits, type ErrorCode } from '@setblock/shared'
import { FolderStore } from './folder-store.ts'
import { MemoryStore } from './memory-store.ts'
import { SessionService } from './session-service.ts'
import { SessionStates } from './session-states.ts'

let root: string
let folder: string
let count = 0
const clock = { nowMs: 1_000_000 }
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'setblock-sessions-'))
})
beforeEach(() => {
  folder = path.join(root, String((count += 1)))
})
after(() => rm(root, { recursive: true, force: true }))

/** A process of its own over the same folder. */
const model = { id: 'm', tokenizerSha256: 'tokenizer' }

function open(change: { masterKey?: Uint8Array } = {}): SessionService {
  const store = new FolderStore(folder)
  const states = new SessionStates({ store, ...change })
  return new SessionService({ states, now: () => clock.nowMs })
}

const refuses = (work: Promise<unknown>, code: ErrorCode): Promise<void> =>
  assert.rejects(work, (error) => error instanceof ApiError && error.code === code)

async function turn(service: SessionService, id: string, tokenIds: number[]): Promise<number> {
  const begun = await service.begin('t', { model, id, tokenIds })
  return (await begun.commit(tokenIds)).version
}

test('a session is created, read, continued, forked and deleted', async () => {
  const service = open()
  const { id, version } = await service.create('t', { id: 's1' })
  assert.equal(version, 1)
  const first = await service.begin('t', { model, id, tokenIds: [1, 2], turnEndIds: [] })
  assert.deepEqual(first.tokenIds, [1, 2])
  assert.equal((await first.commit([1, 2, 3])).version, 2)
  const second = await service.begin('t', {
    model,
    id,
    tokenIds: [4],
    turnEndIds: [],
    ifVersion: 2,
  })
  assert.deepEqual(second.tokenIds, [1, 2, 3, 4])
  await second.commit([1, 2, 3, 4, 5])
  const fork = await service.fork('t', id, { id: 'fork' })
  assert.deepEqual(fork.tokenIds, [1, 2, 3, 4, 5])
  await service.remove('t', id)
  await refuses(service.get('t', id), 'session_not_found')
  assert.deepEqual((await service.get('t', 'fork')).tokenIds, [1, 2, 3, 4, 5])
})

test('the whole conversation replaces what the session held', async () => {
  const service = open()
  await turn(service, 's', [1, 2, 3])
  await turn(service, 's', [1, 9])
  assert.deepEqual((await service.get('t', 's')).tokenIds, [1, 9])
})

test('a committed turn is there for the next process', async () => {
  await turn(open(), 's', [1, 2, 3])
  assert.deepEqual((await open().get('t', 's')).tokenIds, [1, 2, 3])
})

test('one writer at a time, in a process and between processes', async () => {
  const [one, other] = [open(), open()]
  await turn(one, 's', [1])
  const begun = await one.begin('t', { model, id: 's', tokenIds: [1, 2] })
  await refuses(one.begin('t', { model, id: 's', tokenIds: [7] }), 'session_busy')
  await refuses(one.remove('t', 's'), 'session_busy')
  const elsewhere = await other.begin('t', { model, id: 's', tokenIds: [1, 3] })
  await begun.commit([1, 2])
  await refuses(elsewhere.commit([1, 3]), 'session_conflict')
  assert.deepEqual((await other.get('t', 's')).tokenIds, [1, 2])
  assert.equal(await turn(other, 's', [1, 4]), 3)
})

test('a turn that reaches two workers counts once, whoever is first', async () => {
  const [one, other] = [open(), open()]
  await turn(one, 's', [1])
  const request = { model, turnId: 'turn-2', id: 's', tokenIds: [2], turnEndIds: [] }
  const [here, there] = [await one.begin('t', request), await other.begin('t', request)]
  assert.equal((await here.commit([1, 2, 3])).version, 2)
  assert.equal((await there.commit([1, 2, 3])).version, 2)
  const late = await other.begin('t', { ...request, ifVersion: 1 })
  assert.deepEqual(late.tokenIds, [1, 2])
  assert.equal((await late.commit([1, 2, 3])).version, 2)
  assert.deepEqual((await one.get('t', 's')).tokenIds, [1, 2, 3])
})

test('a turn that reaches two workers and ends differently is a conflict', async () => {
  const [one, other] = [open(), open()]
  const request = { model, turnId: 'turn-1', id: 's', tokenIds: [2] }
  const [here, there] = [await one.begin('t', request), await other.begin('t', request)]
  await here.commit([2, 3])
  await refuses(there.commit([2, 4]), 'session_conflict')
  const again = await other.begin('t', request)
  assert.equal((await again.commit([2, 3])).version, 1)
})

test('a turn whose beginning is not kept any more is a conflict, not a second turn', async () => {
  const service = open()
  for (const tokenIds of [[1], [1, 2]]) await turn(service, 's', tokenIds)
  const request = { model, turnId: 'turn-3', id: 's', tokenIds: [3, 4], turnEndIds: [] }
  await (await service.begin('t', request)).commit([1, 2, 3, 4, 5])
  await service.cutTurn('t', { id: 's', turnId: 'turn-3', tokens: 4 })
  await service.flush()
  await refuses(service.begin('t', request), 'session_conflict')
})

test('a released turn leaves no trace', async () => {
  const service = open()
  await turn(service, 's', [1])
  const begun = await service.begin('t', { model, id: 's', tokenIds: [2], turnEndIds: [] })
  begun.release()
  assert.equal((await service.get('t', 's')).version, 1)
  assert.equal(await turn(service, 's', [1, 2]), 2)
})

test('an appended turn follows the end of the turn before, put in where it is missing', async () => {
  const service = open()
  const cases: [history: number[], whole: number[]][] = [
    [
      [1, 2],
      [1, 2, 8, 9, 5],
    ],
    [
      [1, 8],
      [1, 8, 9, 5],
    ],
    [
      [1, 8, 9],
      [1, 8, 9, 5],
    ],
    [[9], [9, 8, 9, 5]],
    [[], [5]],
  ]
  for (const [index, [history, whole]] of cases.entries()) {
    const id = `s${index}`
    await turn(service, id, history)
    const begun = await service.begin('t', { model, id, tokenIds: [5], turnEndIds: [8, 9] })
    assert.deepEqual(begun.tokenIds, whole)
    begun.release()
  }
})

test('If-Match and append want what is there', async () => {
  const service = open()
  await turn(service, 's', [1])
  const request = { id: 's', tokenIds: [2], turnEndIds: [] }
  await refuses(service.begin('t', { model, ...request, ifVersion: 7 }), 'session_conflict')
  await refuses(service.remove('t', 's', 7), 'session_conflict')
  await refuses(service.begin('t', { model, ...request, id: 'new' }), 'session_not_found')
  await refuses(
    service.begin('t', { model, id: 'new', tokenIds: [2], ifVersion: 1 }),
    'session_not_found',
  )
  await (await service.begin('t', { model, ...request, ifVersion: 1 })).commit([1, 2])
})

test('an expired session is gone, and its id begins anew', async () => {
  const service = open()
  await service.create('t', { id: 's', ttlMs: 1000 })
  await refuses(service.create('t', { id: 's' }), 'session_exists')
  clock.nowMs += 1000
  await refuses(service.get('t', 's'), 'session_not_found')
  await refuses(
    service.begin('t', { model, id: 's', tokenIds: [1], turnEndIds: [] }),
    'session_not_found',
  )
  assert.equal((await service.create('t', { id: 's' })).version, 2)
})

test('no tenant sees, lists, changes or collides with sessions of another', async () => {
  const service = open()
  await turn(service, 'mine', [1])
  await refuses(service.get('other', 'mine'), 'session_not_found')
  await refuses(service.remove('other', 'mine'), 'session_not_found')
  await refuses(service.fork('other', 'mine', { id: 'copy' }), 'session_not_found')
  assert.deepEqual((await service.list('other', {})).sessions, [])
  assert.equal((await service.create('other', { id: 'mine' })).version, 1)
  assert.deepEqual((await service.get('t', 'mine')).tokenIds, [1])
})

test('lists come in pages, in order, without the deleted', async () => {
  const service = open()
  for (const id of ['c', 'a', 'd', 'b']) await service.create('t', { id })
  await service.remove('t', 'c')
  const first = await service.list('t', { count: 2 })
  assert.deepEqual([first.sessions.map(({ id }) => id), first.next], [['a', 'b'], 'b'])
  const second = await service.list('t', { count: 2, after: 'b' })
  assert.deepEqual([second.sessions.map(({ id }) => id), second.next], [['d'], undefined])
})

test('a damaged newest state is an error and never an older turn', async () => {
  await turn(open(), 's', [1])
  await turn(open(), 's', [1, 2])
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
  const newest = files.at(-1)!
  const bytes = await readFile(newest)
  bytes[60]! ^= 4
  await writeFile(newest, bytes)
  await refuses(open().get('t', 's'), 'session_corrupt')
  await refuses(open().begin('t', { model, id: 's', tokenIds: [1] }), 'session_corrupt')
})

test('states of another key cannot be read', async () => {
  const masterKey = new Uint8Array(32).fill(3)
  await turn(open({ masterKey }), 's', [1])
  await refuses(open().get('t', 's'), 'session_corrupt')
  await refuses(open({ masterKey: new Uint8Array(32) }).get('t', 's'), 'session_corrupt')
  assert.deepEqual((await open({ masterKey }).get('t', 's')).tokenIds, [1])
})

test('what cannot be read can be deleted, and its name begins anew', async () => {
  await turn(open({ masterKey: new Uint8Array(32).fill(3) }), 's', [1])
  const service = open()
  await refuses(service.remove('t', 's', 7), 'session_conflict')
  await service.remove('t', 's')
  await service.flush()
  await refuses(service.get('t', 's'), 'session_not_found')
  await turn(service, 's', [2])
  const { tokenIds, version } = await service.get('t', 's')
  assert.deepEqual([tokenIds, version], [[2], 3])
})

test('old versions are pruned, so a long session stays small', async () => {
  const service = open()
  for (let length = 1; length <= 10; length += 1) {
    await turn(
      service,
      's',
      Array.from({ length }, () => 1),
    )
  }
  await service.flush()
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  assert.ok(files.length <= 3, `${files.length} versions are kept`)
})

test('a tenant may have so many sessions and no more', async () => {
  const service = open()
  const ids = Array.from({ length: limits.sessionsPerTenantMax }, (_, index) => `s${index}`)
  await Promise.all(ids.map((id) => service.create('t', { id })))
  await refuses(service.create('t', { id: 'one-more' }), 'session_limit_exceeded')
  await refuses(
    service.begin('t', { model, id: 'one-more', tokenIds: [1] }),
    'session_limit_exceeded',
  )
  await service.remove('t', 's5')
  assert.equal((await service.create('t', { id: 'one-more' })).version, 1)
})

test('a deleted session leaves nothing of what was said in it', async () => {
  const service = open()
  await turn(service, 's', [4711, 4712])
  await turn(service, 's', [4711, 4712, 4713])
  await service.remove('t', 's')
  await service.flush()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  assert.equal(files.length, 1)
  const [{ parentPath, name } = assert.fail()] = files
  assert.doesNotMatch((await readFile(path.join(parentPath, name))).toString(), /471[123]/)
  // Whoever began a turn before cannot bring it back.
  assert.equal((await service.create('t', { id: 's' })).version, 4)
})

test('what is stored of a tenant does not grow with the sessions that it has deleted or let expire', async () => {
  const states = new SessionStates({ store: new MemoryStore() })
  const now = { ms: 1_000_000 }
  const service = new SessionService({ states, now: () => now.ms })
  const ids = Array.from({ length: limits.sessionsPerTenantMax }, (_, index) => `old-${index}`)
  await Promise.all(ids.map((id) => service.create('t', { id })))
  for (const id of ids.slice(0, 20)) await service.remove('t', id)
  // The others expire, and all have been dead for longer than a turn takes.
  now.ms += 2 * limits.sessionTtlMs
  for (const id of ['first', 'second']) {
    await service.create('t', { id })
    now.ms += 120_000
  }
  await service.flush()
  assert.equal(await states.count('t'), 2)
})

test('a session belongs to the model of its first turn', async () => {
  const service = open()
  await service.create('t', { id: 's' })
  await turn(service, 's', [1, 2])
  await service.fork('t', 's', { id: 'fork' })
  const other = { id: 'other', tokenizerSha256: 'tokenizer' }
  for (const [id, change] of [
    ['s', {}],
    ['s', { turnEndIds: [] }],
    ['fork', { turnEndIds: [] }],
  ] as const) {
    const begin = service.begin('t', { model: other, id, tokenIds: [3], ...change })
    await assert.rejects(begin, { code: 'invalid_request', param: 'model' })
  }
  // The refused turns have left it free, and as it was.
  const next = await service.begin('t', { model, id: 's', tokenIds: [3], turnEndIds: [] })
  assert.deepEqual(next.tokenIds, [1, 2, 3])
  next.release()
})

test('tokens of a model’s earlier tokenizer are not read by its new one', async () => {
  await turn(open(), 's', [1, 2])
  const retrained = { id: 'm', tokenizerSha256: 'another' }
  await refuses(open().begin('t', { model: retrained, id: 's', tokenIds: [3] }), 'session_corrupt')
})
