import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'

// A repository of its own, so that the Node which this one installed is not found.
const repository = await mkdtemp(path.join(tmpdir(), 'setblock-node-'))
after(() => rm(repository, { recursive: true }))
const guard = path.join(repository, 'scripts', 'require-node.cjs')
await mkdir(path.dirname(guard))
await copyFile(path.join(import.meta.dirname, 'require-node.cjs'), guard)

/** Runs a program behind the guard, in a Node that first believes to be of the given version. */
function runAs(version: string) {
  const source = `
    if (process.env.SETBLOCK_NODE_CHOSEN === undefined)
      Object.defineProperty(process, 'versions', { value: { node: ${JSON.stringify(version)} } })
    require(${JSON.stringify(guard)})
    console.log('ran')
    process.exit(7)`
  const args = ['--eval', source]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('the Node that is asked for, and later ones, go on', () => {
  for (const version of ['22.19.0', '22.23.2', '23.0.0', '24.1.0']) {
    assert.deepEqual(runAs(version), { status: 7, stdout: 'ran\n', stderr: '' })
  }
})

test('an old Node is refused with one line that says what to do', () => {
  for (const version of ['8.17.0', '20.20.2', '22.18.0']) {
    const { status, stdout, stderr } = runAs(version)
    assert.equal(status, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /^setblock: Node 22\.19 or later is needed .*npm install.*\n$/)
    assert.ok(stderr.includes(`this is ${version}.`))
  }
})

test('an old Node hands over to the one that was installed, if there is one', async () => {
  const system = process.platform === 'win32' ? 'win' : process.platform
  const bin = path.join(repository, 'node_modules', `node-${system}-${process.arch}`, 'bin')
  await mkdir(bin, { recursive: true })
  await symlink(process.execPath, path.join(bin, path.basename(process.execPath)))
  assert.deepEqual(runAs('20.20.2'), { status: 7, stdout: 'ran\n', stderr: '' })
})
