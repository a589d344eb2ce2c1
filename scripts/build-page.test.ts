import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { buildPage } from './build-page.ts'

const COMPRESSED_BYTES_MAX = 150 * 1024
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-page-'))
after(() => rm(folder, { recursive: true }))
await buildPage(path.join(folder, 'first'))

async function readPage(name: string): Promise<Map<string, Buffer>> {
  const root = path.join(folder, name)
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const pairs = files.map(async (entry) => {
    const file = path.join(entry.parentPath, entry.name)
    return [path.relative(root, file), await readFile(file)] as const
  })
  return new Map(await Promise.all(pairs))
}

test('sources that were built before are not built again', async () => {
  assert.deepEqual(await buildPage(path.join(folder, 'second')), { cached: true })
  assert.deepEqual(await readPage('second'), await readPage('first'))
})

test('the whole page is small', async () => {
  const sizes = [...(await readPage('first')).values()].map((bytes) => gzipSync(bytes).length)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  assert.ok(total < COMPRESSED_BYTES_MAX, `${total} bytes`)
})

test('nothing in it needs a lax security policy, and all of it can be served', async () => {
  const files = await readPage('first')
  const html = files.get('index.html')?.toString() ?? ''
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:|data:/)
  for (const file of files.keys()) assert.match(file, /^(?:index\.html|assets\/\w[\w.-]*)$/)
})
