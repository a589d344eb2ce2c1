import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { canFindProcesses, findProcesses, waitForNoProcess } from '../../test/support/processes.ts'
import { startService, type Service } from './service.ts'

const PATIENCE_MS = 10_000
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-service-'))
after(() => rm(folder, { recursive: true }))

/** Starts a program from its source, marked so that it and its children can be found. */
async function start(source: string): Promise<{ service: Service; mark: string }> {
  const id = randomUUID()
  const script = path.join(folder, `${id}.mjs`)
  await writeFile(script, source)
  const service = startService({
    name: 'the program',
    lives: true,
    script: [script],
    env: { SETBLOCK_TEST_MARK: id },
    cwd: folder,
    logFile: path.join(folder, `${id}.log`),
  })
  return { service, mark: `SETBLOCK_TEST_MARK=${id}` }
}

const FOREVER = 'setInterval(() => {}, 1000)'
const WITH_CHILD = `
import { spawn } from 'node:child_process'
spawn(process.execPath, ['-e', ${JSON.stringify(FOREVER)}])
`

test('stopping ends what the program started, too', { skip: !canFindProcesses }, async () => {
  const { service, mark } = await start(WITH_CHILD + FOREVER)
  // The leash, the program and its child.
  while (findProcesses(mark).length < 3) await new Promise((resolve) => setTimeout(resolve, 20))
  await service.stop()
  assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
})

test('so does the exit of the program itself', { skip: !canFindProcesses }, async () => {
  const { service, mark } = await start(`${WITH_CHILD}; setTimeout(() => process.exit(0), 100)`)
  await service.exited
  assert.deepEqual(await waitForNoProcess(mark, PATIENCE_MS), [])
})

test('an exit is reported in one line: how, its last words, and where the rest is', async () => {
  const { service } = await start('console.log("first"); console.error("no luck"); process.exit(7)')
  await service.exited
  assert.equal(service.succeeded(), false)
  assert.match(
    service.exitError().message,
    /^the program stopped \(exit code 7\): no luck \[log: .*\.log\]$/,
  )
})

test('a program that does its work and exits has succeeded', async () => {
  const { service } = await start('')
  await service.exited
  assert.equal(service.succeeded(), true)
})
