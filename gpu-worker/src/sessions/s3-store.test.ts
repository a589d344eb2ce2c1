import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startS3Server, type S3Server } from '../testing/s3-server.ts'
import { MemoryStore } from './memory-store.ts'
import { S3Store } from './s3-store.ts'
import { SessionService } from './session-service.ts'
import { SessionStates } from './session-states.ts'
import { TieredStore } from './tiered-store.ts'

let server: S3Server
before(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  server = await startS3Server()
})
after(() => server.close())

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const open = (prefix: string): S3Store =>
  new S3Store({ bucket: 'bucket', prefix, endpoint: server.endpoint })

test('objects of a bucket: stored once, listed over pages, removed', async () => {
  const store = open('some/prefix')
  assert.equal(await store.get('a/one'), undefined)
  assert.equal(await store.putNew('a/one', bytes('first')), true)
  assert.equal(await store.putNew('a/one', bytes('second')), false)
  assert.deepEqual(await store.get('a/one'), bytes('first'))
  for (let index = 0; index < 7; index += 1) await store.putNew(`list/${index}`, bytes('12'))
  const listed = await store.list('list')
  assert.deepEqual(
    listed.map(({ name }) => name),
    [0, 1, 2, 3, 4, 5, 6].map((i) => `list/${i}`),
  )
  assert.ok(listed.every((object) => object.bytes === 2 && object.storedMs > 0))
  await store.remove('a/one')
  assert.equal(await store.get('a/one'), undefined)
  assert.ok([...server.objects.keys()].every((key) => key.startsWith('some/prefix/')))
})

test('two workers over one bucket: the second writer of a turn is refused, and sees the first', async () => {
  const [one, other] = [1, 2].map(() => {
    const states = new SessionStates({ store: open('race') })
    return new SessionService({ states, now: () => 1000 })
  })
  const first = await one!.begin('t', {
    model: { id: 'm', tokenizerSha256: 't' },
    id: 's',
    tokenIds: [1],
  })
  const second = await other!.begin('t', {
    model: { id: 'm', tokenizerSha256: 't' },
    id: 's',
    tokenIds: [2],
  })
  await first.commit([1, 5])
  await assert.rejects(second.commit([2, 5]), { code: 'session_conflict' })
  assert.deepEqual((await other!.get('t', 's')).tokenIds, [1, 5])
})

test('what is read from afar stays near; a far store that fails is an error, a near one is not', async () => {
  const [near, far] = [new MemoryStore(), new MemoryStore()]
  const store = new TieredStore(near, far)
  await store.putNew('both', bytes('1'))
  assert.ok((await near.get('both')) && (await far.get('both')))
  await far.putNew('far', bytes('2'))
  assert.deepEqual(await store.get('far'), bytes('2'))
  assert.deepEqual(await near.get('far'), bytes('2'))
  const fails = async (): Promise<never> => {
    throw new Error('down')
  }
  const broken = { get: fails, putNew: fails, list: fails, remove: fails }
  assert.equal(await new TieredStore(broken, far).putNew('new', bytes('3')), true)
  assert.deepEqual(await new TieredStore(broken, far).get('new'), bytes('3'))
  await assert.rejects(new TieredStore(near, broken).putNew('lost', bytes('4')), /down/)
})
