import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { createSqliteDatabase } from './database.ts'

test('what another program locks is written when it lets go, and holds up nobody until then', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-database-'))
  const [ours, other] = [0, 1].map(() => new DatabaseSync(path.join(folder, 'x'), { timeout: 0 }))
  t.after(async () => {
    ours!.close()
    other!.close()
    await rm(folder, { recursive: true })
  })
  ours!.exec('PRAGMA journal_mode = WAL; CREATE TABLE numbers (n INTEGER)')
  const database = createSqliteDatabase(ours!)
  other!.exec('BEGIN IMMEDIATE')
  const writing = database.run('INSERT INTO numbers VALUES (?)', 7)
  assert.deepEqual(await database.all('SELECT n FROM numbers'), [])
  other!.exec('COMMIT')
  assert.equal(await writing, 1)
  assert.deepEqual(
    (await database.all('SELECT n FROM numbers')).map((row) => ({ ...(row as object) })),
    [{ n: 7 }],
  )
  await assert.rejects(database.run('INSERT INTO letters VALUES (1)'), /no such table/)
})
