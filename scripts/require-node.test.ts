import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'

const guard = path.join(import.meta.dirname, 'require-node.cjs')

/** Runs the guard in a Node that believes to be of the given version. */
function runAs(version: string) {
  const source = `
    Object.defineProperty(process, 'versions', { value: { node: ${JSON.stringify(version)} } })
    require(${JSON.stringify(guard)})`
  const { status, stderr } = spawnSync(process.execPath, ['-e', source], { encoding: 'utf8' })
  return { status, stderr }
}

test('an old Node is refused with one line that says what to do', () => {
  for (const version of ['8.17.0', '20.20.2', '22.18.0']) {
    const { status, stderr } = runAs(version)
    assert.equal(status, 1)
    assert.match(
      stderr,
      new RegExp(`^setblock: Node 22\\.19 .* this is ${version}.*npm install.*\n$`),
    )
  }
})

test('the Node that is asked for, and later ones, pass in silence', () => {
  for (const version of ['22.19.0', '22.23.2', '23.0.0', '24.1.0']) {
    assert.deepEqual(runAs(version), { status: 0, stderr: '' })
  }
})
