import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

import { LOCK_FILE, lockFolder } from './folder-lock.ts'
import { ModelError } from '../engine/model-error.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'setblock-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

const lockText = () => readFile(join(folder, LOCK_FILE), 'utf8')

/** Changes what the lock says of its holder. */
const writeHolder = async (change: object) => {
  await lockFolder(folder)
  const holder = JSON.parse(await lockText())
  await writeFile(join(folder, LOCK_FILE), JSON.stringify({ ...holder, ...change }))
}

const isHeld = (about: RegExp) =>
  assert.rejects(lockFolder(folder), (error) => {
    assert.ok(error instanceof ModelError, String(error))
    assert.equal(error.subject, LOCK_FILE)
    assert.match(error.problem, about)
    return true
  })

test('one build holds a folder at a time, and leaves nothing in it', async () => {
  const release = await lockFolder(folder)
  await isHeld(new RegExp(`^process ${process.pid} on `))
  assert.deepEqual(await readdir(folder), [LOCK_FILE])
  await release()
  assert.deepEqual(await readdir(folder), [])
  await (
    await lockFolder(folder)
  )()
})

test('of many that ask at once one gets it', async () => {
  await writeHolder({ startedMs: 1 })
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)))
  assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.deepEqual(await readdir(folder), [LOCK_FILE])
})

test('the lock of a process that has ended is taken over', async () => {
  const child = spawn(process.execPath, ['--eval', ''])
  await once(child, 'exit')
  await writeHolder({ pid: child.pid })
  const release = await lockFolder(folder)
  assert.equal(JSON.parse(await lockText()).pid, process.pid)
  await release()
  await writeHolder({ startedMs: 1 }) // an earlier process that had this one's id
  await (
    await lockFolder(folder)
  )()
})

test('a process that runs, one of another machine, and a lock of other content are respected', async () => {
  await writeHolder({ pid: process.ppid })
  await isHeld(new RegExp(`^process ${process.ppid} on .* delete this file$`))
  await rm(join(folder, LOCK_FILE))
  await writeHolder({ host: 'elsewhere', pid: 2 ** 22 })
  await isHeld(/^process 4194304 on elsewhere/)
  await writeFile(join(folder, LOCK_FILE), 'something else')
  await isHeld(/^an unknown process/)
})
