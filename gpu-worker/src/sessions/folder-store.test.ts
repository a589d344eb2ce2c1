import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { FolderStore } from './folder-store.ts'

let root: string
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'setblock-store-'))
})
after(() => rm(root, { recursive: true, force: true }))

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

test('an object is there whole once stored, and is never replaced', async () => {
  const store = new FolderStore(root)
  assert.equal(await store.get('a/b/one'), undefined)
  assert.equal(await store.putNew('a/b/one', bytes('first')), true)
  assert.equal(await store.putNew('a/b/one', bytes('second')), false)
  assert.deepEqual(new Uint8Array((await store.get('a/b/one'))!), bytes('first'))
})

test('of many writers of one name exactly one wins', async () => {
  const store = new FolderStore(root)
  const texts = Array.from({ length: 20 }, (_, index) => `writer ${index}`)
  const won = await Promise.all(texts.map((text) => store.putNew('race', bytes(text))))
  assert.equal(won.filter(Boolean).length, 1)
  assert.deepEqual(new Uint8Array((await store.get('race'))!), bytes(texts[won.indexOf(true)]!))
})

test('a listing names the objects below a folder, with size and time', async () => {
  const store = new FolderStore(root)
  await store.putNew('list/x/1', bytes('12345'))
  await store.putNew('list/y', bytes(''))
  const objects = await store.list('list')
  assert.deepEqual(objects.map(({ name, bytes: size }) => `${name} ${size}`).toSorted(), [
    'list/x/1 5',
    'list/y 0',
  ])
  assert.ok(objects.every(({ storedMs }) => Math.abs(storedMs - Date.now()) < 60_000))
  assert.deepEqual(await store.list('nothing'), [])
})

test('a removed object is gone and may be stored again', async () => {
  const store = new FolderStore(root)
  await store.putNew('gone', bytes('1'))
  await store.remove('gone')
  await store.remove('gone')
  assert.equal(await store.get('gone'), undefined)
  assert.equal(await store.putNew('gone', bytes('2')), true)
})

test('what a killed writer left is no object, and is cleared away when nobody writes it any more', async () => {
  const store = new FolderStore(root)
  await store.putNew('left/real', bytes('1'))
  const partial = path.join(root, 'left', '.partial-x')
  await writeFile(partial, 'half')
  assert.deepEqual(
    (await store.list('left')).map(({ name }) => name),
    ['left/real'],
  )
  await store.removePartials()
  assert.deepEqual(await readdir(path.join(root, 'left')), ['.partial-x', 'real'])
  const HOUR_SECONDS = 3600
  const longAgo = Date.now() / 1000 - HOUR_SECONDS
  await utimes(partial, longAgo, longAgo)
  await store.removePartials()
  assert.deepEqual(await readdir(path.join(root, 'left')), ['real'])
})

test('a name that could leave the folder is refused', async () => {
  const store = new FolderStore(root)
  for (const name of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '', 'a/.hidden', 'a\0b']) {
    await assert.rejects(store.get(name), /plain path segments/)
    await assert.rejects(store.putNew(name, bytes('')), /plain path segments/)
  }
})
