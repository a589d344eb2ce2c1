import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { limits } from '@setblock/shared'
import { loadSecrets, openState, saveSecrets } from './state.ts'

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-state-'))
after(() => rm(folder, { recursive: true }))

test('secrets are made once, long enough, and kept between runs', async () => {
  const file = path.join(folder, 'a', 'secrets.json')
  const first = await loadSecrets(file)
  assert.ok(first.jobSecret.length >= limits.jobSecretCharactersMin)
  assert.ok(first.adminKey.length >= limits.jobSecretCharactersMin)
  assert.deepEqual(await loadSecrets(file), first)
  assert.notDeepEqual(await loadSecrets(path.join(folder, 'b', 'secrets.json')), first)
})

test('only the owner can read them', { skip: process.platform === 'win32' }, async () => {
  const file = path.join(folder, 'c', 'secrets.json')
  await loadSecrets(file)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700)
})

test('a torn file is replaced', async () => {
  const file = path.join(folder, 'torn.json')
  await writeFile(file, '{"jobSecret":"x"')
  const secrets = await loadSecrets(file)
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), secrets)
})

test('a state folder that cannot be written to is refused in one line', async () => {
  const file = path.join(folder, 'file')
  await writeFile(file, '')
  const message = /^cannot write to .*: E\w+: .*; choose a folder with --state$/
  await assert.rejects(openState(file), { name: 'StartError', message })
  await assert.rejects(openState(path.join(file, 'below')), { name: 'StartError', message })
  await openState(path.join(folder, 'e'))
})

test('a demo key that was made is kept', async () => {
  const file = path.join(folder, 'd', 'secrets.json')
  const secrets = { ...(await loadSecrets(file)), demoKey: 'sb-demo' }
  await saveSecrets(file, secrets)
  assert.deepEqual(await loadSecrets(file), secrets)
})
