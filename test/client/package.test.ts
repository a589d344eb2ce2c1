import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { repository } from '../tidy/sources.ts'

/** A program of somebody who installed the package: it uses every entry, and its types. */
const CONSUMER = `
import { createSetblock, SetblockError, type GenerationEvent } from '@setblock/client'
import { useSetBlock } from '@setblock/client/react'
const client = createSetblock({ baseUrl: 'http://127.0.0.1:1', apiKey: 'k', retriesMax: 0 })
const stream = client.generate({ model: 'm', prompt: 'p', gamma: 'low' })
const events: GenerationEvent[] = []
try {
  for await (const event of stream) events.push(event)
} catch (error) {
  if (!(error instanceof SetblockError)) throw error
  const code: string = error.code
  console.log(code, events.length, typeof useSetBlock)
}
// @ts-expect-error: a prompt is missing
client.generate({ model: 'm' })
`

describe('the package as it is published', { timeout: 60_000 }, () => {
  let folder: string
  let installed: string
  const run = (args: string[]) =>
    spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'setblock-package-'))
    installed = path.join(folder, 'node_modules', '@setblock', 'client')
    const built = run([path.join(repository, 'client', 'build.ts'), installed])
    assert.equal(built.status, 0, built.stderr + built.stdout)
    for (const name of ['react', '@types/react', '@types/node', 'undici-types', 'csstype']) {
      const link = path.join(folder, 'node_modules', name)
      await mkdir(path.dirname(link), { recursive: true })
      await symlink(path.join(repository, 'node_modules', name), link)
    }
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}')
    await writeFile(path.join(folder, 'consumer.ts'), CONSUMER)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('it needs nothing, and says which React it may meet', async () => {
    const manifest = JSON.parse(
      await readFile(path.join(installed, 'package.json'), 'utf8'),
    ) as object
    assert.ok(!('dependencies' in manifest) && !('private' in manifest))
    assert.deepEqual((manifest as { peerDependenciesMeta: unknown }).peerDependenciesMeta, {
      react: { optional: true },
    })
    const main = await readFile(path.join(installed, 'index.js'), 'utf8')
    assert.doesNotMatch(main, /\.ts'/)
  })

  test('a program uses it, checked by its own compiler and without one', () => {
    const tsc = createRequire(import.meta.url).resolve('typescript/package.json')
    const flags = [
      '--strict',
      '--noEmit',
      '--target',
      'es2022',
      '--module',
      'nodenext',
      '--types',
      'node',
    ]
    const checked = run([path.join(path.dirname(tsc), 'bin', 'tsc'), ...flags, 'consumer.ts'])
    assert.equal(checked.status, 0, checked.stdout)
    const ran = run(['consumer.ts'])
    assert.equal(ran.stdout, 'connection_failed 0 function\n', ran.stderr)
  })
})
